package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMypyInPartsSaysWhatOneMypySays makes random edits to a source tree, and
// compares after each what the plan says with one run of mypy over everything:
// every line and the exit code, by files. An edit of a body alone runs one action
// that checks. LARDER_STRESS=1 makes more.
func TestMypyInPartsSaysWhatOneMypySays(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the oracle needs", missing)
	}
	oracle := newMypyOracle(t)
	sequences, steps := 1, 6
	if os.Getenv("LARDER_STRESS") != "" {
		sequences, steps = 20, 40
	}
	for i := range sequences {
		t.Run(fmt.Sprint("sequence ", i), func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			tree, parts := newPythonTree(random), newMypyParts(t, oracle)
			for step := range steps {
				did := "begun"
				if step > 0 {
					did = tree.edit(random)
				}
				if err := tree.write(parts.root); err != nil {
					t.Fatal(err)
				}
				said, ran := parts.build(t, "--modules", "4", "app", "ns")
				checks := slices.DeleteFunc(ran, func(name string) bool { return !strings.HasPrefix(name, "check ") })
				t.Logf("step %d, %s: %d actions checked", step, did, len(checks))
				if strings.HasPrefix(did, "body") && len(checks) > 1 {
					t.Errorf("step %d, %s: %q ran", step, did, checks)
				}
				parts.compare(t, fmt.Sprintf("step %d, %s", step, did), said, "app", "ns")
			}
		})
	}
}

// TestWhatIsNotThereIsMissedByAllParts: once a module imports one that is not in a
// package which is there, mypy says nothing more about the same name elsewhere.
func TestWhatIsNotThereIsMissedByAllParts(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the oracle needs", missing)
	}
	parts := newMypyParts(t, newMypyOracle(t))
	write := func(name, text string) {
		path := filepath.Join(parts.root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("mypy.ini", "[mypy]\nexplicit_package_bases = true\nwarn_unused_ignores = true\n")
	write("ns/there.py", "")
	write("a/__init__.py", "from ns import gone, other\n")
	write("b/__init__.py", "from ns import gone  # type: ignore\nimport ns\nns.gone.f()\n")
	for _, step := range []struct{ what, text, says string }{
		{"nobody imports it", "", `a/__init__.py:1: error: Module "ns" has no attribute "gone"`},
		{"one does", "import ns.gone\n", `b/__init__.py:1: error: Unused "type: ignore" comment`},
		{"one does, elsewhere in it", "x = 1\nimport ns.gone\n", `c/__init__.py:2: error: Cannot find implementation`},
		{"one would, on another system", "import sys\nif sys.platform == 'win32':\n    import ns.gone\n", `b/__init__.py:3: error: Module has no attribute "gone"`},
	} {
		write("c/__init__.py", step.text)
		said, ran := parts.build(t, "--modules", "1", "a", "b", "c", "ns")
		if !strings.Contains(said, step.says) || !strings.Contains(said, `Module "ns" has no attribute "other"`) {
			t.Errorf("%s: said was\n%s", step.what, said)
		}
		if !parts.compare(t, step.what, said, "a", "b", "c", "ns") {
			t.Errorf("%s: a cold mypy says something else", step.what)
		}
		if step.what == "one does, elsewhere in it" && (slices.Contains(ran, "check a") || slices.Contains(ran, "check b")) {
			t.Errorf("an edit of c made these run: %q", ran)
		}
	}
	checkPathsOfPlans(t, parts)
}

// checkPathsOfPlans: those below the root in any spelling, and others are refused; a
// file that cannot be read is what mypy says of it.
func checkPathsOfPlans(t *testing.T, parts *mypyParts) {
	t.Helper()
	plan := func(path string) string {
		output, _ := exec.Command(parts.larder, "--store", parts.store, "plan", "mypy", "-C", parts.root, "--tool", parts.environment, "a", path).CombinedOutput()
		return string(output)
	}
	for path, want := range map[string]string{
		"nowhere.py":                             "larder: there is no nowhere.py; check the spelling",
		filepath.Join(parts.root, "b"):           `"outputs"`,
		"../" + filepath.Base(parts.root) + "/b": `"outputs"`,
		"../x":                                   "../x is not below " + parts.root + "; name the folder",
		parts.store:                              "; name the folder that has all of the tree with -C",
	} {
		if said := plan(path); !strings.Contains(said, want) || strings.Contains(said, "Traceback") {
			t.Errorf("%s: said %s, want %s", path, said, want)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(parts.root, "a", "dangling.py")); err != nil {
		t.Fatal(err)
	}
	said, _ := parts.build(t, "a")
	if parts.compare(t, "a link to nowhere", said, "a"); !strings.HasPrefix(said, "exit code 2\n") {
		t.Errorf("of a link to nowhere it said\n%s", said)
	}
}

// TestMypyPlanPage executes the examples of docs/mypy-plan.md.
func TestMypyPlanPage(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the examples need", missing)
	}
	text, err := os.ReadFile("../../docs/mypy-plan.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := consoleLines(string(text))
	if len(examples) < 8 {
		t.Fatalf("found %d examples, expected at least 8", len(examples))
	}
	checkExamples(t, "docs/mypy-plan.md", examples)
}

// mypyParts is a source tree with a store.
type mypyParts struct {
	mypyOracle
	root, store string
}

func newMypyParts(t *testing.T, oracle mypyOracle) *mypyParts {
	return &mypyParts{oracle, t.TempDir(), t.TempDir()}
}

// build writes the plan and builds it. It returns what mypy says, by files, and
// the actions that ran.
func (p *mypyParts) build(t *testing.T, arguments ...string) (said string, ran []string) {
	t.Helper()
	plan, record := filepath.Join(p.store, "plan.json"), filepath.Join(p.store, "record.json")
	command := exec.Command(p.larder, append([]string{"--store", p.store, "plan", "mypy", "-C", p.root, "--tool", p.environment, "-o", plan}, arguments...)...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("plan: %v\n%s", err, output)
	}
	command = exec.Command(p.larder, "--store", p.store, "build", "-C", p.root, "--json", record, plan)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	code := -1
	for line := range strings.Lines(string(text)) {
		var one buildRecord
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		if one.State == "ran" {
			ran = append(ran, one.Name)
		}
		if one.Name == "mypy" && one.Result != nil {
			code = one.ExitCode
		}
	}
	if code < 0 {
		t.Fatalf("the plan was not built:\n%s", errs.String())
	}
	return mypyAnswer(code, out.String()), ran
}

// compare compares what the parts said with one run of mypy without a cache. Of a
// module that comes from its cache mypy words some things otherwise: where that is
// so, the files in question are compared with a run that has all others in its
// cache. It reports whether the first run said the same.
func (p *mypyParts) compare(t *testing.T, what, said string, arguments ...string) bool {
	t.Helper()
	cache := t.TempDir()
	whole := p.whole(t, cache, arguments...)
	if said == whole {
		return true
	}
	for _, file := range differing(said, whole) {
		kept, err := filepath.Glob(filepath.Join(cache, "*", strings.TrimSuffix(strings.TrimSuffix(file, "i"), ".py")+".*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range kept {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if warm := p.whole(t, cache, arguments...); said != warm {
		t.Fatalf("%s: in parts:\n%s\nas a whole:\n%s", what, said, whole)
	}
	return false
}

// differing lists the files of which two answers say different things.
func differing(one, other string) []string {
	count := map[string]int{}
	for line := range strings.Lines(one) {
		count[line]++
	}
	for line := range strings.Lines(other) {
		count[line]--
	}
	files := map[string]bool{}
	for line, times := range count {
		if times != 0 {
			files[fileOf(line)] = true
		}
	}
	return slices.Sorted(maps.Keys(files))
}

// whole is what one mypy says of everything.
func (p *mypyParts) whole(t *testing.T, cache string, arguments ...string) string {
	t.Helper()
	command := exec.Command(filepath.Join(p.environment, "bin", "mypy"), append([]string{"--no-sqlite-cache", "--cache-dir", cache}, arguments...)...)
	command.Dir = p.root
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return mypyAnswer(command.ProcessState.ExitCode(), string(out))
}

// mypyAnswer is an exit code with the lines by files.
func mypyAnswer(code int, out string) string {
	lines := slices.Collect(strings.Lines(out))
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(fileOf(a), fileOf(b)) })
	return fmt.Sprintf("exit code %d\n%s", code, strings.Join(lines, ""))
}

func TestNumbersOfModulesAreWords(t *testing.T) {
	for want, c := range map[string][3]int{
		"4 modules in 2 actions, the largest of 2": {4, 2, 2},
		"2 modules in 1 action":                    {2, 1, 2},
		"1 module in 1 action":                     {1, 1, 1},
		"0 modules in 0 actions":                   {0, 0, 0},
	} {
		if got := unitsText(c[0], c[1], c[2]); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}
