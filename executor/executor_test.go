package executor

import (
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/digest"
	"larder/executor/action"
)

// documented reads the list of steps out of the comment of the package.
func documented(t testing.TB) []action.Step {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "executor.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(file.Doc.Text()) {
		if list, indented := strings.CutPrefix(line, "\t"); indented {
			var steps []action.Step
			for _, name := range strings.Split(strings.TrimSpace(list), ", ") {
				steps = append(steps, action.Step(name))
			}
			return steps
		}
	}
	t.Fatal("the comment of the package lists no steps")
	return nil
}

func TestEventsComeInTheDocumentedOrder(t *testing.T) {
	b := newBench(t, &runner{})
	want := append(documented(t), action.StepTotal)
	if got := b.run(t, action.Spec{}, readWrite()); !slices.Equal(got.steps, want) {
		t.Errorf("emitted %v, documented %v", got.steps, want)
	}
	if !slices.Equal(action.Steps(), want) {
		t.Errorf("timings have %v, documented %v", action.Steps(), want)
	}
	hit := []action.Step{action.StepScan, action.StepLookup, action.StepTotal}
	if got := b.run(t, action.Spec{}, readWrite()); !slices.Equal(got.steps, hit) {
		t.Errorf("a hit emitted %v, want %v", got.steps, hit)
	}
}

func TestRunnersHaveAllStepsInTheirTimings(t *testing.T) {
	got := newBench(t, &runner{}).run(t, action.Spec{}, readWrite())
	for _, step := range []action.Step{action.StepCheckout, action.StepRun, action.StepPublish} {
		if got.TimingsMS[step] != 1 {
			t.Errorf("%s took %v ms, want 1", step, got.TimingsMS[step])
		}
	}
	if got.TimingsMS[action.StepTotal] <= 0 {
		t.Error("no total")
	}
}

func TestResultNamesWhatWasRun(t *testing.T) {
	b := newBench(t, &runner{stdout: "o", outputs: []string{"made"}})
	put(t, filepath.Join(b.root, "in"), "text")
	got := b.run(t, action.Spec{Inputs: []string{"in"}, Outputs: []string{"made"}}, readWrite())
	tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{{Path: "in", Kind: digest.KindFile, Digest: of("text")}})
	if err != nil {
		t.Fatal(err)
	}
	if got.err != nil || got.InputDigest != tree.Root.String() || got.DigestFunction != "blake3" || got.Cached != "no" {
		t.Errorf("%+v, %v", got.Result, got.err)
	}
	if _, err := digest.Parse(digest.BLAKE3, got.Key); err != nil {
		t.Errorf("key %q: %v", got.Key, err)
	}
}

func TestFailuresBeforeTheRun(t *testing.T) {
	errDescribe := errors.New("no such tool")
	b := newBench(t, &runner{describeErr: errDescribe})
	if got := b.run(t, action.Spec{}, readWrite()); !errors.Is(got.err, errDescribe) || got.Status != action.StatusError || b.runner.runs > 0 {
		t.Errorf("%+v, %v", got.Result, got.err)
	}
	b = newBench(t, &runner{})
	got := b.run(t, action.Spec{Inputs: []string{"[invalid"}, Root: "gone"}, readWrite())
	if got.err == nil || got.Status != action.StatusError || b.runner.runs > 0 {
		t.Errorf("%+v, %v", got.Result, got.err)
	}
	bad := action.Spec{Trees: []action.TreeSpec{{Digest: "zz", Path: "lib"}}}
	if got := b.run(t, bad, readWrite()); !errors.Is(got.err, digest.ErrDigest) || !strings.Contains(got.err.Error(), "lib") {
		t.Errorf("a bad tree: %v", got.err)
	}
}

func TestTheRunnerIsToldOnceToBegin(t *testing.T) {
	b := newBench(t, &runner{})
	for _, c := range []struct {
		name     string
		results  ResultPolicy
		root     string
		expected int
	}{
		{"a miss", ResultPolicy{Read: true, Write: true}, "", 1},
		{"a hit", ResultPolicy{Read: true, Write: true}, "", 0},
		{"results off", ResultPolicy{}, "", 1},
		{"results off, and no inputs to be had", ResultPolicy{}, "gone", 1},
	} {
		b.runner.expected, b.runner.dropped = 0, 0
		b.run(t, action.Spec{Root: c.root, Inputs: []string{"."}}, Request{Results: c.results})
		if b.runner.expected != c.expected || b.runner.dropped != 1 {
			t.Errorf("%s: told %d times to begin, %d times to drop it", c.name, b.runner.expected, b.runner.dropped)
		}
	}
}

func TestFailureOfTheRunner(t *testing.T) {
	errRunner := errors.New("no namespaces here")
	b := newBench(t, &runner{executeErr: errRunner, outputs: []string{"made"}})
	got := b.run(t, action.Spec{Outputs: []string{"made"}}, readWrite())
	if !errors.Is(got.err, errRunner) || got.Status != action.StatusError || len(b.records.kept) > 0 {
		t.Errorf("%+v, %v, kept %v", got.Result, got.err, b.records.kept)
	}
	if exists(filepath.Join(b.root, "made")) {
		t.Error("an output of a run that larder could not complete was handed over")
	}
}

func TestMissingOutputsAreNamed(t *testing.T) {
	b := newBench(t, &runner{outputs: []string{"b"}})
	got := b.run(t, action.Spec{Outputs: []string{"c", "b", "a/d"}}, readWrite())
	var missing *MissingOutput
	if !errors.As(got.err, &missing) || !slices.Equal(missing.Paths, []string{"a/d", "c"}) || got.Status != action.StatusError {
		t.Fatalf("%+v, %v", got.Result, got.err)
	}
	if text := missing.Error(); !strings.Contains(text, "a/d, c") || !strings.Contains(text, "-o") {
		t.Errorf("the message: %s", text)
	}
	if exists(filepath.Join(b.root, "b")) || len(b.records.kept) > 0 {
		t.Error("an incomplete answer was handed over or kept")
	}
}

func TestOutputsGoWhereTheyShould(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "else", "where")
	for _, c := range []struct {
		name, to string
		code     int
		root     bool
		there    bool
	}{
		{"under the root", "", 0, true, false},
		{"elsewhere", elsewhere, 0, false, true},
		{"nowhere", OutputNone, 0, false, false},
		{"not after a failure", "", 1, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.RemoveAll(elsewhere); err != nil {
				t.Fatal(err)
			}
			b := newBench(t, &runner{outputs: []string{"sub/made"}, code: c.code})
			request := readWrite()
			request.OutputTo = c.to
			for _, when := range []string{"at first", "from the kept result"} {
				got := b.run(t, action.Spec{Outputs: []string{"sub/made"}}, request)
				if got.err != nil || got.ExitCode != c.code || len(got.Outputs) != 1 {
					t.Fatalf("%s: %+v, %v", when, got.Result, got.err)
				}
				if root, there := exists(filepath.Join(b.root, "sub/made")), exists(filepath.Join(elsewhere, "sub/made")); root != c.root || there != c.there {
					t.Errorf("%s: under the root %v, elsewhere %v", when, root, there)
				}
				_ = os.RemoveAll(filepath.Join(b.root, "sub"))
			}
		})
	}
}

func TestDeclaredPathsAreNoInputsUnlessNamed(t *testing.T) {
	b := newBench(t, &runner{})
	for _, name := range []string{"in", "out", "cache", "venv", "..dots"} {
		put(t, filepath.Join(b.root, name), name)
	}
	spec := action.Spec{
		Outputs: []string{"out"}, Tools: []string{"venv", "..dots", "/elsewhere"},
		Caches: []action.CacheSpec{{Name: "c", Mode: "mutable", Path: "cache"}},
	}
	checked, err := action.Spec{Argv: []string{"x"}, Outputs: spec.Outputs, Tools: spec.Tools, Caches: spec.Caches, Inputs: []string{"."}}.Validate(b.root)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := b.line.inputs.scan(t.Context(), Request{Action: checked}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(slices.Collect(tree.Entries())) != 1 || slices.Collect(tree.Entries())[0].Path != "in" {
		t.Errorf("the inputs are %v, want in alone", slices.Collect(tree.Entries()))
	}
}

func TestOutputsStayUnderTheRoot(t *testing.T) {
	for name, c := range map[string]struct {
		link, target string // in the root, before the run
		written      bool
	}{
		"no link":                {"", "", true},
		"a link that stays":      {"sub", "other", true},
		"a link that leaves":     {"sub", "../outside", false},
		"an absolute link":       {"sub", "/proc", false},
		"a link further up":      {"sub", "other/../../outside", false},
		"a link to nothing":      {"sub", "nothing", false},
		"a link to no folder":    {"sub", "file", false},
		"a link in a folder":     {"other/sub", "../../outside", true}, // not on the way
		"the root is a link too": {"", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, &runner{outputs: []string{"sub/made"}})
			outside := filepath.Join(filepath.Dir(b.root), "outside")
			for _, folder := range []string{outside, filepath.Join(b.root, "other")} {
				if err := os.Mkdir(folder, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			put(t, filepath.Join(b.root, "file"), "")
			if c.link != "" {
				if err := os.Symlink(c.target, filepath.Join(b.root, c.link)); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(name, "root") {
				linked := filepath.Join(filepath.Dir(b.root), "linked")
				if err := os.Symlink(b.root, linked); err != nil {
					t.Fatal(err)
				}
				b.root = linked
			}
			got := b.run(t, action.Spec{Outputs: []string{"sub/made"}}, readWrite())
			if written := got.err == nil && exists(filepath.Join(b.root, "sub/made")); written != c.written {
				t.Errorf("written: %v, %v", written, got.err)
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
				t.Errorf("outside of the root: %v, %v", left, err)
			}
		})
	}
}
