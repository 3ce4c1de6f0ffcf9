package mypyplan

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/executor/plan"
)

// actionsOf writes a plan, reads it as larder build does, and returns its actions.
func actionsOf(t *testing.T, g *Graph, how How) map[string]plan.Action {
	text, err := json.Marshal(g.Plan(g.Units(2), how))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := plan.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Graph(t.TempDir()); err != nil {
		t.Fatalf("the plan is wrong: %v", err)
	}
	actions := map[string]plan.Action{}
	for _, action := range parsed.Actions {
		actions[action.Name] = action
	}
	return actions
}

func TestAUnitSeesItsSourcesAndWhatItsNeedsAreSeededWith(t *testing.T) {
	g := graphOf("p.a:", "p.b:", "q/:", "q.a: p.a", "r.a:")
	g.Modules[3].Parents, g.Config, g.External = []string{"q"}, "mypy.ini", []string{"json"}
	actions := actionsOf(t, g, How{Python: "/python", Options: []string{"--strict"}})
	q := actions["check q"]
	if want := []string{"/mypy.ini", "/q/__init__.py", "/q/a.py"}; !slices.Equal(q.Inputs, want) {
		t.Errorf("the inputs are %q, not %q", q.Inputs, want)
	}
	want := []string{"/python", "-B", ".larder/part.py", "check", "p.a=p/a.py=", "=q=q/__init__.py=", "=q.a=q/a.py=", "--", "--strict"}
	if !slices.Equal(q.Argv, want) {
		t.Errorf("the command is %q, not %q", q.Argv, want)
	}
	var from []string
	for _, source := range q.From {
		from = append(from, source.Action)
	}
	if want := []string{"helper", "stubs", "check p"}; !slices.Equal(from, want) {
		t.Errorf("it works on %q, not %q", from, want)
	}
	if want := []string{"/seed/p/a.py", "/seed/.mypy_cache/3.12/p/a.*"}; !slices.Equal(q.From[2].Subset, want) {
		t.Errorf("of p it takes %q, not %q", q.From[2].Subset, want)
	}
	if slices.ContainsFunc(q.Argv, func(word string) bool { return strings.HasPrefix(word, "!") }) {
		t.Errorf("the command %q has modules that are not there", q.Argv)
	}
	g.Modules[0].Absent, g.Modules[2].Absent, g.Modules[3].Absent = []string{"p.not"}, []string{"q.z", "q.y"}, []string{"q.y"}
	if argv := actionsOf(t, g, How{Python: "/python"})["check q"].Argv; !slices.Equal(argv[4:6], []string{"!q.y", "!q.z"}) {
		t.Errorf("the command is %q, which does not begin with what its own modules may miss", argv)
	}
	if argv := actions["stubs"].Argv; !slices.Contains(argv, "json") {
		t.Errorf("the stubs are %q, without json", argv)
	}
}

func TestWhatIsNotSoundInPartsIsOneAction(t *testing.T) {
	g := graphOf("p.a:", "q.a:", "r.a:")
	g.Whole = "a reason"
	actions := actionsOf(t, g, How{Python: "/python", Paths: []string{"p", "q"}, Inputs: []string{"*.py"}})
	whole := actions["check everything"]
	if len(actions) != 5 || !slices.Equal(whole.Inputs, []string{"*.py"}) || !strings.HasSuffix(strings.Join(whole.Argv, " "), "whole -- p q") {
		t.Errorf("%d actions, and the one for everything runs %q on %q", len(actions), whole.Argv, whole.Inputs)
	}
}

func TestPatternsNameOnePath(t *testing.T) {
	for path, want := range map[string]string{"a.py": "/a.py", "a/b.py": "/a/b.py", "a[1] b.py": `/a\[1]\ b.py`} {
		if got := pattern(path); got != want {
			t.Errorf("the pattern for %s is %s, not %s", path, got, want)
		}
	}
}

func TestReadRefusesWhatIsNoGraph(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"modules": [{"id": "a"}]}`, `{"modules": [{"id": "a", "path": "a.py"}, {"id": "a", "path": "b.py"}]}`,
		`{"modules": [{"id": "a", "path": "a.py", "deps": ["b"]}]}`,
	} {
		if _, err := Read([]byte(text)); !errors.Is(err, ErrGraph) {
			t.Errorf("%s: %v", text, err)
		}
	}
	g, err := Read([]byte(`{"python": "3.12", "modules": [{"id": "a", "path": "a.py", "root": true}]}`))
	if err != nil || len(g.Modules) != 1 || !g.Modules[0].Root {
		t.Errorf("%v, %v", g, err)
	}
}

func TestThePythonOfAProgramIsInItsFirstLine(t *testing.T) {
	program := filepath.Join(t.TempDir(), "mypy")
	for text, want := range map[string]string{"#!/a/bin/python3.12\nimport x": "/a/bin/python3.12", "#!/usr/bin/env bash\n": "", "ELF": "", "": ""} {
		if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := Python(program)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
