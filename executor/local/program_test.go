package local

import (
	"os"
	"path/filepath"
	"testing"

	"larder/executor/action"
)

// The state of a program changes when another file takes its place, also behind
// a link, and only then.
func TestProgramStateFollowsTheFile(t *testing.T) {
	dir := t.TempDir()
	bin, real := filepath.Join(dir, "tool", "bin"), filepath.Join(dir, "lib", "program")
	for _, folder := range []string{bin, filepath.Dir(real)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	install := func() {
		t.Helper()
		if err := os.WriteFile(real+".new", []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(real+".new", real); err != nil {
			t.Fatal(err)
		}
	}
	install()
	if err := os.Symlink(real, filepath.Join(bin, "program")); err != nil {
		t.Fatal(err)
	}
	runner := New(Config{Home: "/nowhere", Env: func(string) string { return "" }})
	state := func(program string) string {
		t.Helper()
		text, err := runner.ProgramState(&action.Action{Argv: []string{program}, Root: dir, Tools: []string{filepath.Join(dir, "tool")}})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := state("program")
	if first == "" || first != state("program") {
		t.Errorf("the state is %q and then %q", first, state("program"))
	}
	install()
	if second := state("program"); second == first {
		t.Errorf("another file has the same state %q", second)
	}
	if missing := state("no-such-program"); missing != "" {
		t.Errorf("a program that is not there has the state %q", missing)
	}
	if _, err := runner.ProgramState(&action.Action{Argv: []string{"program"}, Root: dir, Tools: []string{filepath.Join(dir, "none")}}); err == nil {
		t.Error("a tool that is not there is no error")
	}
}
