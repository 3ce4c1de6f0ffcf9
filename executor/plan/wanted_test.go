package plan

import (
	"errors"
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

func TestTargetsThatHandOverTheSamePath(t *testing.T) {
	for _, c := range []struct {
		actions, to string
		clash       bool
	}{
		{`{"name": "a", "argv": ["x"], "outputs": ["o"]}, {"name": "b", "argv": ["x"], "outputs": ["o-b", "o.c", "p/o"]}`, "", false},
		{`{"name": "a", "argv": ["x"], "outputs": ["o"]}, {"name": "b", "argv": ["x"], "outputs": ["o-b", "o"]}`, "", true},
		{`{"name": "a", "argv": ["x"], "outputs": ["o/p/q"]}, {"name": "b", "argv": ["x"], "outputs": ["o"]}`, "", true},
		{`{"name": "a", "argv": ["x"], "outputs": ["o"]}, {"name": "b", "argv": ["x"], "root": "sub", "outputs": ["o"]}`, "", false},
		{`{"name": "a", "argv": ["x"], "outputs": ["o"]}, {"name": "b", "argv": ["x"], "root": "sub", "outputs": ["o"]}`, "/to", true},
		{`{"name": "a", "argv": ["x"], "outputs": ["sub/o"]}, {"name": "b", "argv": ["x"], "root": "sub", "outputs": ["o"]}`, "", true},
		{`{"name": "a", "argv": ["x"], "outputs": ["o"]}, {"name": "b", "argv": ["x"], "outputs": ["o"], "from": [{"action": "a"}]}`, "", false},
	} {
		g, err := graphOf(t, `{"schema": 1, "actions": [`+c.actions+`]}`)
		if err != nil {
			t.Fatal(err)
		}
		err = g.Clash(g.Wanted(), c.to)
		if (err != nil) != c.clash || c.clash && !errors.Is(err, ErrPlan) {
			t.Errorf("%s to %q: %v", c.actions, c.to, err)
		}
	}
}
