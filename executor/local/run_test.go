package local_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/caches/named"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/sandbox"
)

func TestRunSeesItsInputsOnly(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "src/a.txt"), "input")
	put(t, filepath.Join(b.root, "other.txt"), "other")
	b.sh(t, "pwd; find . -type f; cat src/a.txt; echo changed > src/a.txt", func(s *action.Spec) { s.Inputs = []string{"src/"} }).
		want(t, 0, "/build\n./src/a.txt\ninput")
	if got := content(t, filepath.Join(b.root, "src/a.txt")); got != "input" {
		t.Errorf("the input is now %q", got)
	}
	b.sh(t, "cat src/a.txt").want(t, 0, "input")
	b.wantNothingLeft(t)
}

func TestRunHasOnlyItsOwnEnvironment(t *testing.T) {
	b := newTestBench(t)
	t.Setenv("CALLER_SECRET", "1")
	env := func(s *action.Spec) { s.Env = map[string]string{"MINE": "yes", "LANG": "de"} }
	b.sh(t, `echo "$MINE $LANG $HOME $USER ${CALLER_SECRET-unset}"`, env).want(t, 0, "yes de "+sandbox.HomeDir+" larder unset")
}

func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		script, timeout string
		status          action.Status
		code, signal    int
	}{
		{"exit 0", "", action.StatusOK, 0, 0},
		{"exit 3", "", action.StatusFailed, 3, 0},
		{"exit 200", "", action.StatusFailed, 200, 0},
		{"kill -9 $$", "", action.StatusKilled, 137, 9},
		{"kill -TERM $$; sleep 9", "", action.StatusKilled, 143, 15},
		{"sleep 60", "100ms", action.StatusTimeout, 124, 15},
		{"trap '' TERM; while :; do sleep 60; done", "100ms", action.StatusTimeout, 124, 9},
		{"trap 'exit 0' TERM; while :; do sleep 0.01; done", "100ms", action.StatusTimeout, 124, 0},
	} {
		t.Run(c.script, func(t *testing.T) {
			b := newTestBench(t)
			r := b.sh(t, c.script, func(s *action.Spec) { s.Timeout = c.timeout }).want(t, c.code, "")
			if r.Status != c.status || r.Signal != c.signal {
				t.Errorf("status %s, signal %d; want %s, %d", r.Status, r.Signal, c.status, c.signal)
			}
			if struck := len(r.LimitsHit) == 1 && r.LimitsHit[0] == "timeout"; struck != (c.timeout != "") {
				t.Errorf("limits hit: %v", r.LimitsHit)
			}
			b.wantNothingLeft(t)
		})
	}
}

func TestSignalsArePassedOnAndNothingIsPublished(t *testing.T) {
	b := newTestBench(t)
	signals := make(chan os.Signal, 1)
	spec := action.Spec{Argv: []string{"sh", "-c", `trap 'echo stopped; exit 0' INT; echo x > cache/half; echo ready; while :; do sleep 0.01; done`}}
	cache(action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache", Publish: "always"})(&spec)
	watch := &watcher{on: "ready", do: func() { signals <- syscall.SIGINT }}
	result, err := b.start(t.Context(), spec, executor.Request{
		Streams: executor.Streams{Stdout: watch, Stderr: watch}, Signals: signals, Results: executor.ResultPolicy{Write: true},
	})
	if err != nil || result.Status != action.StatusKilled || !strings.Contains(watch.text.String(), "stopped") {
		t.Fatalf("status %s, %v, output %q", result.Status, err, watch.text.String())
	}
	if got := result.Caches[0].Outcome; got != string(named.Discarded) {
		t.Errorf("the cache was %s", got)
	}
}

// watcher does something once when a text was written.
type watcher struct {
	text strings.Builder
	on   string
	do   func()
}

func (w *watcher) Write(p []byte) (int, error) {
	had := strings.Contains(w.text.String(), w.on)
	w.text.Write(p)
	if !had && strings.Contains(w.text.String(), w.on) {
		w.do()
	}
	return len(p), nil
}

func TestSetupAndTeardown(t *testing.T) {
	b := newTestBench(t)
	steps := func(s *action.Spec) {
		s.Setup, s.Teardown = "echo said by set-up; echo 1 > made", "cp made kept; cat body >> kept"
		s.Outputs = []string{"kept"}
	}
	b.sh(t, "cat made; echo 2 > body", steps).want(t, 0, "1")
	if got := content(t, filepath.Join(b.root, "kept")); got != "1\n2\n" {
		t.Errorf("the tear-down left %q", got)
	}
	b.sh(t, "echo must not run", func(s *action.Spec) { s.Setup = "echo no disk today; exit 4" }).
		wantError(t, "set-up", "4", "no disk today")
	r := b.sh(t, "exit 5", func(s *action.Spec) { s.Teardown = "echo cannot tidy; exit 1" }).want(t, 5, "")
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "cannot tidy") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	var failed *local.SetupFailed
	if r := b.sh(t, ":", func(s *action.Spec) { s.Setup = "exit 6" }); !errors.As(r.err, &failed) || failed.Status.ExitCode != 6 {
		t.Errorf("got %v", r.err)
	}
	b.wantNothingLeft(t)
}

func TestCommandsThatCannotBeExecuted(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "plain"), "text")
	if err := os.Chmod(filepath.Join(b.root, "plain"), 0o644); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(tempDir(t), "plain")
	put(t, outside, "text")
	if err := os.Chmod(outside, 0o644); err != nil {
		t.Fatal(err)
	}
	b.config.Path = append(b.config.Path, filepath.Dir(outside))
	b.wire()
	for argv0, notFound := range map[string]bool{
		"no-such-tool": true, "./none": true, "/none/at/all": true,
		"./plain": false, outside: false, "plain": false, "/usr": false,
	} {
		r := b.run(t, action.Spec{Argv: []string{argv0}, Inputs: []string{"."}}, executor.Request{})
		var failed *sandbox.ExecError
		if !errors.As(r.err, &failed) || failed.NotFound() != notFound {
			t.Errorf("%s: %v; want an error of execution, not found: %v", argv0, r.err, notFound)
		}
	}
}

func TestBothStreamsComeWholeAndInOrder(t *testing.T) {
	b := newTestBench(t)
	const lines = 150_000 // more than 10 MiB in each stream
	script := `awk 'BEGIN { for (i = 0; i < %d; i++) printf "%%s %%070d\n", "%s", i }'`
	r := b.sh(t, fmt.Sprintf(script, lines, "out")+" & "+fmt.Sprintf(script, lines, "err")+" >&2; wait")
	if r.err != nil {
		t.Fatal(r.err)
	}
	for name, text := range map[string]string{"out": r.stdout, "err": r.stderr} {
		if len(text) < 10<<20 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		i := 0
		for line := range strings.Lines(text) {
			if line != fmt.Sprintf("%s %070d\n", name, i) {
				t.Fatalf("%s: line %d is %q", name, i, line)
			}
			i++
		}
		if i != lines {
			t.Errorf("%s: %d lines", name, i)
		}
	}
}

func TestOutputThatTheUserNoLongerReads(t *testing.T) {
	b := newTestBench(t)
	spec := action.Spec{Argv: []string{"sh", "-c", "seq 100000; echo done > out"}, Outputs: []string{"out"}}
	r := b.run(t, spec, executor.Request{Streams: executor.Streams{Stdout: brokenPipe{}, Stderr: brokenPipe{}}})
	if r.err != nil || r.Status != action.StatusOK || content(t, filepath.Join(b.root, "out")) != "done\n" {
		t.Fatalf("status %s, %v", r.Status, r.err)
	}
	if !strings.HasSuffix(r.StdoutDigest, "/588895") {
		t.Errorf("kept %s, want all 588895 bytes", r.StdoutDigest)
	}
}

func TestAHitGivesWhatTheRunGave(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "in"), "1")
	both := executor.Request{Results: executor.ResultPolicy{Read: true, Write: true}}
	spec := action.Spec{Argv: []string{"sh", "-c", "cat in; echo e >&2; date +%N > out"}, Inputs: []string{"in"}, Outputs: []string{"out"}}
	first := b.run(t, spec, both).want(t, 0, "1")
	made := content(t, filepath.Join(b.root, "out"))
	put(t, filepath.Join(b.root, "out"), "spoilt")
	second := b.run(t, spec, both).want(t, 0, "1")
	if first.Cached != "no" || second.Cached != "local" || second.stderr != "e\n" || content(t, filepath.Join(b.root, "out")) != made {
		t.Errorf("cached %s then %s, standard error %q", first.Cached, second.Cached, second.stderr)
	}
	put(t, filepath.Join(b.root, "in"), "2")
	if third := b.run(t, spec, both).want(t, 0, "2"); third.Cached != "no" {
		t.Error("an answer for other inputs")
	}
}

func TestTimingsCoverTheRun(t *testing.T) {
	b := newTestBench(t)
	began := time.Now()
	r := b.sh(t, "sleep 0.05").want(t, 0, "")
	took := float64(time.Since(began).Microseconds()) / 1000
	if run := r.TimingsMS[action.StepRun]; run < 50 || run > took {
		t.Errorf("run took %v ms of %v", run, took)
	}
	if total := r.TimingsMS[action.StepTotal]; total > took || total < r.TimingsMS[action.StepRun] {
		t.Errorf("the total is %v ms of %v", total, took)
	}
}

func TestDirectOutputIsNotKept(t *testing.T) {
	b := newTestBench(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	spec := action.Spec{Argv: []string{"sh", "-c", "echo out; echo err >&2"}}
	request := executor.Request{Streams: executor.Streams{Direct: write}, Results: executor.ResultPolicy{Read: true, Write: true}}
	for range 2 {
		if r := b.run(t, spec, request); r.err != nil || r.Cached != "no" || r.StdoutDigest != "" || r.stdout != "" {
			t.Errorf("%+v, %v, captured %q", r.Result, r.err, r.stdout)
		}
	}
	write.Close()
	if text, err := io.ReadAll(read); err != nil || string(text) != "out\nerr\nout\nerr\n" {
		t.Errorf("the user saw %q, %v", text, err)
	}
}
