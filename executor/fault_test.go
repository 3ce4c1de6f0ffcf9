package executor

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/executor/action"
)

// A full disk fails everywhere at once; the user hears of it once.
func TestFaultsAreOneWarning(t *testing.T) {
	full := fmt.Errorf("write blob-1: %w", syscall.ENOSPC)
	b := newBench(t, &runner{faults: []Fault{{"cache c was not updated", errors.Join(full, full)}}})
	b.records.setErr = fmt.Errorf("write a record: %w", syscall.ENOSPC)
	b.records.loadErr = fmt.Errorf("read a record: %w", syscall.EIO)
	got := b.run(t, action.Spec{}, readWrite())
	if got.err != nil || got.Status != action.StatusOK || len(got.Warnings) != 1 {
		t.Fatalf("%v, %s, warnings: %q", got.err, got.Status, got.Warnings)
	}
	for _, part := range []string{"so the command ran, and cache c was not updated, and the result was not kept", "input/output error", "look for errors of the disk"} {
		if !strings.Contains(got.Warnings[0], part) {
			t.Errorf("%q does not say %q", got.Warnings[0], part)
		}
	}
	if strings.Contains(got.Warnings[0], "\n") {
		t.Errorf("%q has several lines", got.Warnings[0])
	}
}

// Outputs that the store did not take are handed over from where they are, and
// nothing names them afterwards.
func TestOutputsFromAway(t *testing.T) {
	b := newBench(t, &runner{outputs: []string{"made"}, away: blobs{of("made"): "made"}})
	delete(b.blobs, of("made"))
	got := b.run(t, action.Spec{Outputs: []string{"made"}}, readWrite())
	if got.err != nil || !exists(filepath.Join(b.root, "made")) || len(got.Outputs) != 1 {
		t.Errorf("%+v, %v", got.Result, got.err)
	}
	if b.runner.releases != 1 || len(b.records.kept) != 0 {
		t.Errorf("released %d times; kept %v", b.runner.releases, b.records.kept)
	}

	b.runner.code = 1
	got = b.run(t, action.Spec{Outputs: []string{"made"}}, readWrite())
	if got.err != nil || len(got.Outputs) != 0 || got.OutputDigest != "" || b.runner.releases != 2 {
		t.Errorf("after a failure: %+v, %v, released %d times", got.Result, got.err, b.runner.releases)
	}

	b.runner.executeErr = errors.New("broken")
	if got = b.run(t, action.Spec{}, readWrite()); got.err == nil || b.runner.releases != 3 {
		t.Errorf("after an error: %v, released %d times", got.err, b.runner.releases)
	}
}
