package executor

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"larder/caches/results"
	"larder/executor/action"
)

func TestAHitGivesTheSameAnswer(t *testing.T) {
	b := newBench(t, &runner{stdout: "said", stderr: "warned", outputs: []string{"made"}})
	spec := action.Spec{Outputs: []string{"made"}}
	first := b.run(t, spec, readWrite())
	second := b.run(t, spec, readWrite())
	if b.runner.runs != 1 || first.Cached != "no" || second.Cached != "local" || second.Status != action.StatusOK {
		t.Fatalf("ran %d times; %s, then %s, %v", b.runner.runs, first.Cached, second.Cached, second.err)
	}
	for _, got := range []ran{first, second} {
		if got.stdout != "said" || got.stderr != "warned" || !exists(filepath.Join(b.root, "made")) {
			t.Errorf("%s: %q, %q", got.Cached, got.stdout, got.stderr)
		}
	}
	if first.Key != second.Key || first.StdoutDigest != second.StdoutDigest || first.Outputs[0] != second.Outputs[0] {
		t.Errorf("first %+v\nthen %+v", first.Result, second.Result)
	}
}

// What turns out while an action runs is in the key that its answer is kept
// under, and in that of the record.
func TestAnswersAreKeptUnderWhatTheRunnerSaw(t *testing.T) {
	b := newBench(t, &runner{sandbox: "namespaces", beyond: "directory"})
	first := b.run(t, action.Spec{}, readWrite())
	if first.err != nil || first.Sandbox != "directory" || len(b.records.kept) != 1 {
		t.Fatalf("%+v, %v, %d answers kept", first.Result, first.err, len(b.records.kept))
	}
	for key := range b.records.kept {
		if key.String() != first.Key {
			t.Errorf("kept under %s, and the record says %s", key, first.Key)
		}
	}
	b.runner.beyond = ""
	second := b.run(t, action.Spec{}, readWrite())
	if second.Cached != "no" || second.Key == first.Key || b.runner.runs != 2 {
		t.Errorf("the key without it: cached %s, key %s", second.Cached, second.Key)
	}
	b.runner.sandbox = "other"
	if third := b.run(t, action.Spec{}, readWrite()); third.Cached != "local" || third.Sandbox != "other" {
		t.Errorf("a kept answer: cached %s, sandbox %s", third.Cached, third.Sandbox)
	}
}

func TestResultPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		first, second ResultPolicy
		runs          int
	}{
		"off":               {ResultPolicy{}, ResultPolicy{}, 2},
		"read only":         {ResultPolicy{Read: true}, ResultPolicy{Read: true}, 2},
		"write, then read":  {ResultPolicy{Write: true}, ResultPolicy{Read: true}, 1},
		"write only":        {ResultPolicy{Write: true}, ResultPolicy{Write: true}, 2},
		"both":              {ResultPolicy{Read: true, Write: true}, ResultPolicy{Read: true, Write: true}, 1},
		"written, not read": {ResultPolicy{Read: true, Write: true}, ResultPolicy{}, 2},
	} {
		b := newBench(t, &runner{})
		b.run(t, action.Spec{}, Request{Results: c.first})
		b.run(t, action.Spec{}, Request{Results: c.second})
		if b.runner.runs != c.runs {
			t.Errorf("%s: ran %d times, want %d", name, b.runner.runs, c.runs)
		}
	}
}

func TestFailuresAreKeptOnlyWhenDeclared(t *testing.T) {
	cache := func(publish string) []action.CacheSpec {
		return []action.CacheSpec{{Name: "c", Mode: "mutable", Path: "cache", Publish: publish}}
	}
	for _, c := range []struct {
		code   int
		caches []action.CacheSpec
		kept   bool
	}{
		{0, nil, true}, {1, nil, false}, {0, cache("never"), true}, {0, cache("1"), true},
		{1, cache("0"), false}, {1, cache("0,1"), true}, {2, cache("0,1"), false}, {1, cache("always"), false},
	} {
		b := newBench(t, &runner{code: c.code})
		spec := action.Spec{Caches: c.caches}
		b.run(t, spec, readWrite())
		if kept := len(b.records.kept) == 1; kept != c.kept {
			t.Errorf("exit code %d, caches %v: kept %v", c.code, c.caches, kept)
			continue
		}
		if again := b.run(t, spec, readWrite()); again.ExitCode != c.code || (again.Status == action.StatusFailed) != (c.code != 0) {
			t.Errorf("exit code %d again: %+v", c.code, again.Result)
		}
	}
}

func TestAnswersThatDependOnTheInput(t *testing.T) {
	open, ended := Input{InputPipe, pipe(t, "", false)}, Input{InputPipe, pipe(t, "", true)}
	nothing, file := Input{}, Input{InputFile, textFile(t, "text", 0)}
	for _, c := range []struct {
		name  string
		use   InputUse
		given Input // when the answer is asked for again
		runs  int
	}{
		{"read", InputRead, nothing, 2},
		{"empty, again empty", InputEmpty, nothing, 1},
		{"empty, now a terminal", InputEmpty, Input{Kind: InputTerminal}, 1},
		{"empty, now an open pipe", InputEmpty, open, 2},
		{"empty, now a pipe that has ended", InputEmpty, ended, 1},
		{"empty, now a file", InputEmpty, file, 2},
		{"unread, now an open pipe", InputUnread, open, 1},
		{"unread, now a file", InputUnread, file, 1},
		{"unread, now nothing", InputUnread, nothing, 1},
	} {
		b := newBench(t, &runner{input: c.use})
		b.run(t, action.Spec{}, readWrite())
		again := readWrite()
		again.Streams.Input = c.given
		if b.run(t, action.Spec{}, again); b.runner.runs != c.runs {
			t.Errorf("%s: ran %d times, want %d", c.name, b.runner.runs, c.runs)
		}
	}
}

func TestARecordThatCannotBeWrittenIsAWarning(t *testing.T) {
	b := newBench(t, &runner{outputs: []string{"made"}})
	b.records.setErr = errors.New("disk full")
	got := b.run(t, action.Spec{Outputs: []string{"made"}}, readWrite())
	if got.err != nil || got.Status != action.StatusOK || !exists(filepath.Join(b.root, "made")) {
		t.Errorf("%+v, %v; want the run to stand", got.Result, got.err)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "disk full") {
		t.Errorf("warnings: %q", got.Warnings)
	}
}

func TestRecordsThatCannotBeReadCountAsNone(t *testing.T) {
	b := newBench(t, &runner{})
	b.records.loadErr = errors.New("bad sector")
	got := b.run(t, action.Spec{}, readWrite())
	if got.err != nil || b.runner.runs != 1 {
		t.Errorf("%v, ran %d times", got.err, b.runner.runs)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "bad sector") {
		t.Errorf("warnings: %q", got.Warnings)
	}
}

// A kept answer that the store cannot hand over is no answer: the command runs,
// and the user sees its output once. A blob may go between the lookup and that.
func TestARecordWithoutItsBlobsRuns(t *testing.T) {
	b := newBench(t, &runner{stdout: "said"})
	b.run(t, action.Spec{}, readWrite())
	delete(b.blobs, of("said"))
	got := b.run(t, action.Spec{}, readWrite())
	if got.err != nil || got.stdout != "said" || got.Cached != "no" || b.runner.runs != 2 || len(got.Warnings) != 1 || b.runner.job.Broken != nil {
		t.Errorf("ran %d times: %+v, %v", b.runner.runs, got.Result, got.err)
	}
}

func TestAnAnswerOfWhichAPartIsGoneIsSaidOnce(t *testing.T) {
	b := newBench(t, &runner{stdout: "said", stderr: "warned"})
	b.run(t, action.Spec{}, readWrite())
	delete(b.blobs, of("warned"))
	got := b.run(t, action.Spec{}, readWrite())
	if got.err != nil || got.stdout != "said" || got.stderr != "warned" || b.runner.runs != 2 {
		t.Errorf("ran %d times: %+v, %v", b.runner.runs, got.Result, got.err)
	}
}

// A disk that fails at one blob is not asked for more.
func TestARecordThatCannotBeReadRunsAwayFromTheStore(t *testing.T) {
	b := newBench(t, &runner{stdout: "said"})
	b.run(t, action.Spec{}, readWrite())
	b.line.blobs = badDisk{b.blobs}
	got := b.run(t, action.Spec{}, readWrite())
	if got.err != nil || got.stdout != "said" || b.runner.runs != 2 || !errors.Is(b.runner.job.Broken, syscall.EIO) {
		t.Errorf("ran %d times: %+v, %v; the job says %v", b.runner.runs, got.Result, got.err, b.runner.job.Broken)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "a kept result could not be handed over, so the command ran") {
		t.Errorf("warnings: %q", got.Warnings)
	}
}

func TestObservationsAreTakenBeforeTheRun(t *testing.T) {
	b := newBench(t, &runner{})
	path := filepath.Join(b.root, "config")
	put(t, path, "one")
	b.run(t, action.Spec{Observe: []string{path}}, readWrite())
	for _, record := range b.records.kept {
		want, err := results.Observe(t.Context(), path, b.line.inputs.Function)
		if err != nil || len(record.Observed) != 1 || record.Observed[0] != want {
			t.Errorf("kept %v, %v; want %v", record.Observed, err, want)
		}
	}
	if len(b.records.kept) != 1 {
		t.Error("nothing was kept")
	}
}

// A tool that is replaced between the key and the end of the command would leave
// its answer under the key of the other.
func TestAnswersOfAChangedMachineAreNotKept(t *testing.T) {
	b := newBench(t, &runner{replaces: true})
	first := b.run(t, action.Spec{}, readWrite())
	if first.err != nil || len(b.records.kept) != 0 {
		t.Fatalf("%v, %d records, want none", first.err, len(b.records.kept))
	}
	if len(first.Warnings) != 1 || !strings.Contains(first.Warnings[0], "changed while the command ran") {
		t.Errorf("warnings %q, want one that says why", first.Warnings)
	}
	b.runner.replaces = false
	b.run(t, action.Spec{}, readWrite())
	if len(b.records.kept) != 1 {
		t.Errorf("%d records after a run that changed nothing, want 1", len(b.records.kept))
	}
}

// TestWhyACommandHasToRunIsTold: before it runs, and not when it does not.
func TestWhyACommandHasToRunIsTold(t *testing.T) {
	b := newBench(t, &runner{})
	var told []Missed
	ask := func(policy ResultPolicy, input Input) {
		request := Request{Results: policy, Missed: func(m Missed) { told = append(told, m) }}
		request.Streams.Input = input
		if got := b.run(t, action.Spec{}, request); got.err != nil {
			t.Fatal(got.err)
		}
	}
	for _, policy := range []ResultPolicy{{}, {Write: true}, {Read: true, Write: true}} {
		ask(policy, Input{})
	}
	clear(b.records.kept)
	ask(ResultPolicy{Read: true, Write: true}, Input{})
	ask(ResultPolicy{Read: true, Write: true}, Input{})
	var reasons []results.Reason
	for _, m := range told {
		reasons = append(reasons, m.Reason)
		if m.Key.Digest.IsZero() != (m.Reason == results.NotAsked) || m.Inputs == nil {
			t.Errorf("%+v", m)
		}
	}
	if want := []results.Reason{results.NotAsked, results.NotRead, results.Absent}; !slices.Equal(reasons, want) {
		t.Errorf("told %v, want %v", reasons, want)
	}
	key, inputs, err := b.line.Identify(t.Context(), Request{Action: &action.Action{Argv: []string{"tool"}, Network: action.NetworkNone, Root: b.root}})
	if err != nil || key.Digest != told[2].Key.Digest || inputs.Root != told[2].Inputs.Root || b.runner.runs != 3 {
		t.Errorf("identified %s, %v; the run had %s, and there were %d", key.Digest, err, told[2].Key.Digest, b.runner.runs)
	}
}
