package plan

import (
	"slices"
	"testing"
)

func TestWanted(t *testing.T) {
	g, err := graphOf(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Wanted(); !slices.Equal(got, []bool{false, false, true, false}) {
		t.Errorf("the targets of the plan: %v", got)
	}
	if got := g.Wanted("a", "stubs"); !slices.Equal(got, []bool{true, true, false, false}) {
		t.Errorf("named: %v", got)
	}
	g.targets = nil
	if got := g.Wanted(); !slices.Equal(got, []bool{false, false, true, true}) {
		t.Errorf("no targets: %v; want what nobody needs", got)
	}
}

func TestOutputsAreNoInputsOfOthers(t *testing.T) {
	outputs := `["out", "src/a/gen.h", "src/b/gen", "src/ab"]`
	for inputs, want := range map[string][]string{
		`["."]`:                       {"/base/out", "/base/src/a/gen.h", "/base/src/ab", "/base/src/b/gen"},
		`["*.h"]`:                     {"/base/out", "/base/src/a/gen.h", "/base/src/ab", "/base/src/b/gen"},
		`["src/a"]`:                   {"/base/src/a/gen.h"},
		`["./src/a/*.h"]`:             {"/base/src/a/gen.h"},
		`["/src/*/gen"]`:              {"/base/src/a/gen.h", "/base/src/ab", "/base/src/b/gen"},
		`["src/b/gen/x/*", "!src/a"]`: {"/base/src/a/gen.h", "/base/src/b/gen"},
		`["src/c", ".src/a"]`:         nil,
	} {
		g, err := graphOf(t, `{"schema": 1, "actions": [{"name": "a", "argv": ["x"], "outputs": `+outputs+`},
			{"name": "b", "argv": ["x"], "inputs": `+inputs+`}, {"name": "c", "argv": ["x"], "root": "/other", "inputs": ["."]}]}`)
		if err != nil {
			t.Fatal(err)
		}
		g.HideOutputs()
		if got := g.Nodes[1].Action.NoInputs; !slices.Equal(got, want) {
			t.Errorf("%s: hidden are %q; want %q", inputs, got, want)
		}
		if got := g.Nodes[2].Action.NoInputs; got != nil {
			t.Errorf("in another root: %q", got)
		}
	}
}
