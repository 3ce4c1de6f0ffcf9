package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"larder/executor/action"
)

// few is how many places of a run a fault is tried at; the variable
// LARDER_STRESS tries each.
const few = 5

// ward is a store with two caches, and a root with an input.
type ward struct {
	t           *testing.T
	root, store string
	runs        int
	last        string   // what the mutable cache holds
	held        []string // what it has held
	added       []string // and the append-only one
}

func newWard(t *testing.T) *ward {
	needSandbox(t)
	t.Setenv("HOME", t.TempDir())
	w := &ward{t: t, root: t.TempDir(), store: filepath.Join(t.TempDir(), "store")}
	check(t, os.WriteFile(filepath.Join(w.root, "in"), []byte("input\n"), 0o644))
	w.healthy("echo first >m/x; echo first >a/first; echo first >m/both")
	w.last, w.held, w.added = "first", []string{"first"}, []string{"first"}
	return w
}

func (w *ward) args(script string) []string {
	return []string{"run", "--json", "result.json", "-i", "in", "-o", "out", "--mutable", "m=m", "--append-only", "a=a", "--", "sh", "-c", script + "; cat in >out"}
}

// healthy runs without faults, which has to go well in silence.
func (w *ward) healthy(script string) string {
	w.t.Helper()
	program, err := os.Executable()
	check(w.t, err)
	command := &exec.Cmd{Path: program, Args: append([]string{"larder"}, w.args(script)...), Dir: w.root, Env: append(os.Environ(), "LARDER_STORE="+w.store)}
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil || said.Len() > 0 {
		w.t.Fatalf("without faults: %v: %s", err, said.String())
	}
	return string(out)
}

// try runs an action with a fault and looks at all that must hold whatever it was.
func (w *ward) try(in *injector) {
	w.t.Helper()
	w.runs++
	os.Remove(filepath.Join(w.root, "out"))
	mark := fmt.Sprint("run-", w.runs)
	script := fmt.Sprintf("cat m/x m/both 2>/dev/null; echo -; cat a/first 2>/dev/null; echo %s >m/x; echo %s >m/both; echo %s >a/%s", mark, mark, mark, mark)
	stdout, stderr, code := in.run(w.t, w.root, w.args(script)...)
	what := fmt.Sprintf("%v at %q and %d more", in.errno, in.said[:min(len(in.said), 1)], max(len(in.said)-1, 0))
	if !w.isWhole(stdout) {
		w.t.Errorf("%s: the command saw %q; %q was last", what, stdout, w.last)
	}
	w.judge(in, what, stderr, code)
	w.recover(what, mark)
}

// isWhole says that the command saw each cache empty or one generation of it: the
// last, or an earlier one when the last could not be read.
func (w *ward) isWhole(stdout string) bool {
	m, a, _ := strings.Cut(stdout, "-\n")
	x, both, _ := strings.Cut(m, "\n")
	return (m == "" || slices.Contains(w.held, x) && both == x+"\n") && (a == "" || a == "first\n")
}

// judge looks at how the run ended. The output lies on the disk of the store when
// the command has ended, so a disk that does not give it back has lost it; larder
// says so.
func (w *ward) judge(in *injector, what, stderr string, code int) {
	w.t.Helper()
	lines := strings.Count(stderr, "\n")
	if in.class == reads && code == codeFailed && strings.Contains(stderr, " output out: ") && lines <= 2 {
		return
	}
	if code != 0 || lines > 1 || lines == 1 && !strings.HasPrefix(stderr, "larder: warning: ") {
		w.t.Errorf("%s: exit code %d, said %q", what, code, stderr)
	}
	if out, _ := os.ReadFile(filepath.Join(w.root, "out")); string(out) != "input\n" {
		w.t.Errorf("%s: the output is %q", what, out)
	}
}

// recover looks at the store afterwards: each cache is as it was, or as published.
func (w *ward) recover(what, mark string) {
	w.t.Helper()
	var result action.Result
	data, err := os.ReadFile(filepath.Join(w.root, "result.json"))
	check(w.t, errors.Join(err, json.Unmarshal(data, &result)))
	said := w.healthy(fmt.Sprintf("cat m/x m/both; ls a; : after %s", mark))
	published := map[string]bool{}
	for _, cache := range result.Caches {
		published[cache.Name] = cache.Outcome == "published"
	}
	if published["m"] {
		w.last, w.held = mark, append(w.held, mark)
	}
	if published["a"] {
		w.added = append(w.added, mark)
	}
	slices.Sort(w.added)
	if want := fmt.Sprintf("%s\n%s\n%s\n", w.last, w.last, strings.Join(w.added, "\n")); said != want {
		w.t.Errorf("%s: afterwards the caches hold %q, want %q", what, said, want)
	}
	// What tends the caches in the background has a folder for a moment.
	if !eventually(func() bool {
		left, err := os.ReadDir(filepath.Join(w.store, "runs-v1"))
		return err == nil && len(left) == 0
	}) {
		w.t.Errorf("%s: a run folder was left behind", what)
	}
}

// sweep tries a fault at many places of a run: once, and from there on for good.
func (w *ward) sweep(class callClass, errno unix.Errno) {
	all := &injector{store: w.store, class: class, first: math.MaxInt, last: math.MaxInt}
	w.try(all)
	step := max(all.seen/few, 1)
	if os.Getenv("LARDER_STRESS") != "" {
		step = 1
	}
	if all.seen < few {
		w.t.Errorf("only %d calls seen", all.seen)
	}
	for n := 1; n <= all.seen; n += step {
		w.try(&injector{store: w.store, class: class, errno: errno, first: n, last: n})
		w.try(&injector{store: w.store, class: class, errno: errno, first: n, last: math.MaxInt})
	}
	w.t.Logf("%v at %d places", errno, all.seen)
}

func TestARunOutlivesFaultsOfTheDisk(t *testing.T) {
	for _, c := range []struct {
		name  string
		class callClass
		errno unix.Errno
	}{
		{"no space", changes, unix.ENOSPC}, {"quota", changes, unix.EDQUOT}, {"broken writes", changes, unix.EIO},
		{"not permitted", changes, unix.EACCES}, {"broken reads", reads, unix.EIO}, {"nothing readable", reads, unix.EACCES},
	} {
		t.Run(c.name, func(t *testing.T) { newWard(t).sweep(c.class, c.errno) })
	}
}

// parts lists what of a cache may become unreadable by itself.
func (w *ward) parts() []string {
	var parts []string
	for _, pattern := range []string{"named-v1/*/head", "named-v1/*/ref.json", "named-v1/*/generations", "layers-v1/????????????????????????????????"} {
		found, err := filepath.Glob(filepath.Join(w.store, pattern))
		check(w.t, err)
		parts = append(parts, found...)
	}
	if len(parts) != 8 {
		w.t.Fatalf("the parts of two caches: %q", parts)
	}
	return parts
}

// TestOnePartThatCannotBeRead: the run goes on, and what cannot be read is not
// replaced as if it were gone.
func TestOnePartThatCannotBeRead(t *testing.T) {
	w := newWard(t)
	parts := w.parts()
	for _, folder := range []string{"runs-v1", "tmp-v1", "use-v1", "index-v1", "log-v1", "tally-v1", "results-v1", "cas-v1", "layers-v1/trees"} {
		parts = append(parts, filepath.Join(w.store, folder))
	}
	for _, part := range parts {
		w.try(&injector{store: w.store, folder: part, class: reads, errno: unix.EIO, first: 1, last: math.MaxInt})
	}
}

// TestVerbsReportWhatCannotBeRead: they end well and name the cache and the reason.
func TestVerbsReportWhatCannotBeRead(t *testing.T) {
	w := newWard(t)
	for _, part := range w.parts() {
		for _, args := range [][]string{{"list", "--format", "json"}, {"prune", "--max-size", "none"}, {"info"}} {
			in := &injector{store: w.store, folder: part, class: reads, errno: unix.EIO, first: 1, last: math.MaxInt}
			stdout, stderr, code := in.run(t, w.root, append([]string{"cache"}, args...)...)
			if code != 0 {
				t.Errorf("cache %s without %s: exit code %d: %s", args[0], part, code, stderr)
			}
			isReported := strings.Contains(stdout, `"status":"corrupt"`) && strings.Contains(stdout, "input/output error")
			if args[0] == "list" && !isReported {
				t.Errorf("cache list without %s: %s", part, stdout)
			}
		}
	}
	if said := w.healthy("cat m/x a/first"); said != "first\nfirst\n" {
		t.Errorf("afterwards the caches hold %q", said)
	}
}
