package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recordedEdits are edits of a released package.
type recordedEdits struct {
	Package string         `json:"package"`
	Edits   []recordedEdit `json:"edits"`
}

type recordedEdit struct {
	Kind  string       `json:"kind"`
	What  string       `json:"what"`
	Ran   int          `json:"ran"` // actions that check, with the stubs, and no more
	Steps []recordStep `json:"steps"`
}

// recordStep changes one file: one of its members says how.
type recordStep struct {
	File    string `json:"file"`
	Old     string `json:"old"` // occurs once, and becomes New
	New     string `json:"new"`
	Append  string `json:"append"`
	Write   string `json:"write"`
	Delete  bool   `json:"delete"`
	Restore bool   `json:"restore"` // as the package has it
}

// apply makes the step in a tree, of which pristine is what the package has.
func (s recordStep) apply(root, pristine string) error {
	path := filepath.Join(root, s.File)
	if s.Delete {
		return os.Remove(path)
	}
	from := path
	if s.Restore {
		from = filepath.Join(pristine, s.File)
	}
	data, err := os.ReadFile(from)
	if err != nil && s.Write == "" {
		return err
	}
	text := string(data) + s.Append
	if s.Write != "" {
		text = s.Write
	}
	if s.Old != "" {
		if strings.Count(text, s.Old) != 1 {
			return fmt.Errorf("%s has %q %d times", s.File, s.Old, strings.Count(text, s.Old))
		}
		text = strings.Replace(text, s.Old, s.New, 1)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func readRecordedEdits(t *testing.T) recordedEdits {
	t.Helper()
	text, err := os.ReadFile("testdata/mypy-edits-of-django.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded recordedEdits
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	return recorded
}

func TestRecordedEditsAreOfAllKinds(t *testing.T) {
	kinds := map[string]int{}
	recorded := readRecordedEdits(t)
	for _, edit := range recorded.Edits {
		kinds[edit.Kind]++
	}
	for _, kind := range []string{"body", "signature", "new import", "new file", "deleted file", "type error", "syntax error", "cycle"} {
		if kinds[kind] < 2 {
			t.Errorf("there are %d edits of the kind %s", kinds[kind], kind)
		}
	}
	if len(recorded.Edits) < 30 {
		t.Errorf("there are %d edits, not 30", len(recorded.Edits))
	}
}

func TestRecordedEditsAreOnThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/mypy-plan.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, edit := range readRecordedEdits(t).Edits {
		if row := fmt.Sprintf("\n| %s: %s | %d |\n", edit.Kind, edit.What, edit.Ran); !strings.Contains(string(page), row) {
			t.Errorf("edit %d is not on the page: %s", i+1, row)
		}
	}
}

func TestAStepChangesOneFile(t *testing.T) {
	root, pristine := t.TempDir(), t.TempDir()
	write := func(folder, text string) {
		if err := os.WriteFile(filepath.Join(folder, "a.py"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(pristine, "first\n")
	for _, c := range []struct {
		step recordStep
		want string
	}{
		{recordStep{Write: "new\n"}, "new\n"},
		{recordStep{Append: "more\n"}, "one\nmore\n"},
		{recordStep{Old: "one", New: "two"}, "two\n"},
		{recordStep{Restore: true}, "first\n"},
	} {
		write(root, "one\n")
		c.step.File = "a.py"
		if err := c.step.apply(root, pristine); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(root, "a.py")); err != nil || string(got) != c.want {
			t.Errorf("%+v makes %q, not %q (%v)", c.step, got, c.want, err)
		}
	}
	if err := (recordStep{File: "a.py", Old: "absent"}).apply(root, pristine); err == nil {
		t.Error("a step that finds nothing is taken")
	}
	if err := (recordStep{File: "a.py", Delete: true}).apply(root, pristine); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "a.py")); err == nil {
		t.Error("the file is still there")
	}
}

// TestMypyInPartsOverDjango makes the recorded edits one after the other, and
// compares after each what the parts say with one mypy over everything. No more
// actions run than docs/mypy-plan.md has of each.
// LARDER_STRESS=1 runs it: about 20 minutes.
func TestMypyInPartsOverDjango(t *testing.T) {
	if os.Getenv("LARDER_STRESS") == "" {
		t.Skip("LARDER_STRESS=1 runs it")
	}
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the oracle needs", missing)
	}
	recorded, parts, pristine := readRecordedEdits(t), newMypyParts(t, newMypyOracle(t)), t.TempDir()
	for _, folder := range []string{pristine, parts.root} {
		install := exec.Command(filepath.Join(parts.environment, "bin", "pip"), "install", "-q", "--no-deps", "--no-compile", "--target", folder, recorded.Package)
		if output, err := install.CombinedOutput(); err != nil {
			t.Fatalf("install %s: %v\n%s", recorded.Package, err, output)
		}
	}
	check := func(what string, most int) {
		said, all := parts.build(t, "django")
		ran := slices.DeleteFunc(all, func(name string) bool { return name != "stubs" && !strings.HasPrefix(name, "check ") })
		same := parts.compare(t, what, said, "django")
		t.Logf("%s: %d actions ran, the same as without a cache: %v", what, len(ran), same)
		if len(ran) > most {
			t.Errorf("%s: more ran than %d: %q", what, most, ran)
		}
	}
	check("as it is", 29)
	for i, edit := range recorded.Edits {
		for _, step := range edit.Steps {
			if err := step.apply(parts.root, pristine); err != nil {
				t.Fatalf("edit %d: %v", i+1, err)
			}
		}
		check(fmt.Sprintf("edit %d, %s: %s", i+1, edit.Kind, edit.What), edit.Ran)
	}
}
