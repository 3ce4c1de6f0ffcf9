package local_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/sandbox"
)

// inKept runs a shell command in a kept sandbox.
func inKept(t *testing.T, folder, script string) string {
	t.Helper()
	kept, err := local.OpenKept(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	status, err := kept.Run(t.Context(), sandbox.Config{Args: []string{"sh", "-c", script}, Stdout: out, Stderr: out})
	if err != nil || status.ExitCode != 0 {
		t.Errorf("%s: %+v, %v", script, status, err)
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// What was published and what was kept share files, and no shell in the kept
// sandbox changes what was published.
func TestAKeptSandboxChangesNothingThatWasPublished(t *testing.T) {
	for name, copied := range map[string]bool{"overlays": false, "copies": true} {
		t.Run(name, func(t *testing.T) {
			b := newBenchIn(t, copied)
			put(t, filepath.Join(b.root, "in"), "input")
			host, _, see := withPayload(t, b)
			spec := action.Spec{
				Argv: []string{"sh", "-c", "cp in out; echo one >cache/file; mkdir cache/sub; echo x >>in; exit 1"}, Inputs: []string{"in"}, Outputs: []string{"out"},
				Caches: []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache", Publish: "always"}},
			}
			see(&spec)
			r := b.run(t, spec, executor.Request{Keep: executor.KeepOnFailure})
			if r.err != nil || r.KeptSandbox == "" || r.Caches[0].Outcome != "published" {
				t.Fatalf("%+v, %v", r.Result, r.err)
			}
			if got := inKept(t, r.KeptSandbox, "cat out in cache/file sdk/bin/tool; echo two >cache/file; rm -r cache/sub; echo bad >out"); got != "inputinputx\none\n#!/bin/sh\necho one" {
				t.Errorf("the kept sandbox holds %q", got)
			}
			if got := inKept(t, r.KeptSandbox, "cat cache/file out; ls cache"); got != "two\nbad\nfile" {
				t.Errorf("the second shell finds %q", got)
			}
			b.sh(t, "cat in cache/file; ls cache", func(s *action.Spec) { s.Caches = spec.Caches }).want(t, 0, "inputone\nfile\nsub")
			if _, err := os.Stat(host); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAKeptSandboxIsForOneShellAtATime(t *testing.T) {
	b := newTestBench(t)
	r := b.run(t, action.Spec{Argv: []string{"true"}}, executor.Request{Keep: executor.KeepAlways})
	kept, err := local.OpenKept(r.KeptSandbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.OpenKept(r.KeptSandbox); !errors.Is(err, layers.ErrLocked) {
		t.Errorf("the second got %v", err)
	}
	kept.Close()
	if _, err := local.OpenKept(b.root); !errors.Is(err, caches.ErrInvalid) {
		t.Errorf("a folder without one: %v", err)
	}
}

// Nothing has run in a sandbox that could not be made, so none is kept.
func TestASandboxThatWasNotMadeIsNotKept(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "cache"), "a file where the cache belongs")
	r := b.run(t, action.Spec{Argv: []string{"true"}, Inputs: []string{"cache"}, Caches: []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache/in"}}},
		executor.Request{Keep: executor.KeepAlways})
	if r.err == nil || r.KeptSandbox != "" {
		t.Errorf("without a sandbox: %+v, %v", r.Result, r.err)
	}
}

func TestKeptSandboxesAreListed(t *testing.T) {
	b := newTestBench(t)
	if rows, err := local.ListKept(b.config.Layout); err != nil || len(rows) > 0 {
		t.Errorf("without any: %+v, %v", rows, err)
	}
	r := b.run(t, action.Spec{Argv: []string{"true"}}, executor.Request{Keep: executor.KeepAlways})
	only := func() local.KeptRow {
		t.Helper()
		rows, err := local.ListKept(b.config.Layout)
		if err != nil || len(rows) != 1 || rows[0].Folder != r.KeptSandbox {
			t.Fatalf("one is listed as %+v, %v", rows, err)
		}
		return rows[0]
	}
	if row := only(); row.InUse || row.Problem != nil || len(row.Command) != 1 || filepath.Base(row.Command[0]) != "true" || time.Since(row.Used) > time.Hour {
		t.Errorf("it is %+v", row)
	}
	kept, err := local.OpenKept(r.KeptSandbox)
	if err != nil {
		t.Fatal(err)
	}
	if !only().InUse {
		t.Error("one with a shell in it is not in use")
	}
	kept.Close()
	put(t, filepath.Join(r.KeptSandbox, "sandbox.json"), "{")
	if row := only(); row.InUse || row.Problem == nil {
		t.Errorf("one with a damaged record is %+v", row)
	}
}
