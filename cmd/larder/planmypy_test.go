package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
// every line and the exit code, by files. LARDER_STRESS=1 makes more.
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
				t.Logf("step %d, %s: %d actions ran", step, did, len(ran))
				if whole := parts.whole(t, "app", "ns"); said != whole {
					t.Fatalf("step %d, %s: in parts:\n%s\nas a whole:\n%s", step, did, said, whole)
				}
			}
		})
	}
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

// whole is what one mypy says of everything.
func (p *mypyParts) whole(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.Command(filepath.Join(p.environment, "bin", "mypy"), append([]string{"--cache-dir=/dev/null"}, arguments...)...)
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
