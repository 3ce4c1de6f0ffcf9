package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/caches/payload"
	"larder/executor"
	"larder/executor/action"
)

// withPayload makes a host directory and has every action of the bench see it
// at sdk. It returns where it is, and the ids of the copies that were to begin.
func withPayload(t *testing.T, b *bench) (host string, begun *[]string, see func(*action.Spec)) {
	t.Helper()
	host, begun = filepath.Join(filepath.Dir(b.root), "sdk"), new([]string)
	put(t, filepath.Join(host, "bin/tool"), "#!/bin/sh\necho one\n")
	b.config.CopyPayload = func(id string) error { *begun = append(*begun, id); return nil }
	b.wire()
	return host, begun, func(s *action.Spec) {
		s.Payloads = []action.PayloadSpec{{Host: host, Path: "sdk", Copy: "always"}}
	}
}

func TestPayloadsAreLeasedWhileTheyAreUsed(t *testing.T) {
	b := newTestBench(t)
	host, begun, see := withPayload(t, b)
	r := b.sh(t, "sdk/bin/tool", see).want(t, 0, "one")
	if len(*begun) != 1 || r.Payloads[0].Status != string(payload.Pending) || len(r.Warnings) > 0 {
		t.Fatalf("at first: begun %v, %+v, warnings %v", *begun, r.Payloads, r.Warnings)
	}
	if err := b.config.Payloads.Copy(t.Context(), (*begun)[0], nil); err != nil {
		t.Fatal(err)
	}
	gate := filepath.Join(filepath.Dir(b.root), "gate")
	put(t, filepath.Join(gate, "file"), "")
	ended := make(chan ran)
	running := make(chan bool)
	go func() {
		ended <- b.run(t, action.Spec{
			Argv: []string{"sh", "-c", "echo started; read line; cat sdk/bin/tool | tail -1"}, Payloads: []action.PayloadSpec{{Host: host, Path: "sdk"}},
		}, executor.Request{Streams: waiting(t, running)})
	}()
	<-running
	if removal, err := b.config.Payloads.Remove(t.Context(), ""); err != nil || len(removal.Skipped) != 1 || len(removal.Removed) != 0 {
		t.Errorf("while it is used: %+v, %v", removal, err)
	}
	running <- true
	r = <-ended
	if r.err != nil || r.ExitCode != 0 || r.Payloads[0].Status != string(payload.Cached) {
		t.Errorf("the run: %v, %+v", r.err, r.Result)
	}
	if removal, err := b.config.Payloads.Remove(t.Context(), ""); err != nil || len(removal.Removed) != 1 {
		t.Errorf("after it was used: %+v, %v", removal, err)
	}
	b.wantNothingLeft(t)
}

// waiting are streams of a command that says that it has started, which comes
// out of running, and then waits for a line, until something goes into running.
func waiting(t *testing.T, running chan bool) executor.Streams {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	said := writer(func(text []byte) {
		if slices.Equal(text, []byte("started\n")) {
			running <- true
			<-running
			_, _ = write.WriteString("go on\n")
		}
	})
	return executor.Streams{Input: executor.ClassifyInput(read), Stdout: said, Stderr: said}
}

type writer func([]byte)

// Write hands the text over.
func (w writer) Write(text []byte) (int, error) { w(text); return len(text), nil }

func TestNoAnswerIsKeptWhenAPayloadChangesMeanwhile(t *testing.T) {
	b := newTestBench(t)
	host, _, see := withPayload(t, b)
	spec := action.Spec{Argv: []string{"sh", "-c", "tail -1 sdk/bin/tool; test ! -e sdk/wait || until test -e sdk/new; do sleep 0.01; done"}}
	see(&spec)
	policy := executor.Request{Results: executor.ResultPolicy{Read: true, Write: true}}
	b.run(t, spec, policy).want(t, 0, "echo one")
	if r := b.run(t, spec, policy); r.Cached != "local" {
		t.Errorf("with the same payload, the answer is cached %q", r.Cached)
	}
	put(t, filepath.Join(host, "wait"), "")
	changing := policy
	changing.Streams.Stderr = writer(func([]byte) {})
	changing.Streams.Stdout = writer(func([]byte) { put(t, filepath.Join(host, "new"), "x") })
	if r := b.run(t, spec, changing); r.Cached != "no" || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "was not kept") {
		t.Errorf("with a payload that changes: cached %q, warnings %q", r.Cached, r.Warnings)
	}
}

func TestPayloadsAreReadOnly(t *testing.T) {
	for _, copied := range []bool{false, true} {
		b := newBenchIn(t, copied)
		host, begun, see := withPayload(t, b)
		try := "touch sdk/x sdk/bin/tool 2>/dev/null; rm -rf sdk 2>/dev/null; sdk/bin/tool"
		b.sh(t, try, see).want(t, 0, "one")
		if err := b.config.Payloads.Copy(t.Context(), (*begun)[0], nil); err != nil {
			t.Fatal(err)
		}
		r := b.sh(t, try, see).want(t, 0, "one")
		if left, err := os.ReadDir(host); err != nil || len(left) != 1 || r.Payloads[0].Status != string(payload.Cached) {
			t.Errorf("the original holds %v, %v; the run saw %+v", left, err, r.Payloads)
		}
	}
}
