package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"larder/executor/action"
	"larder/sandbox"
)

func TestWholeCommandKeepsEveryArgument(t *testing.T) {
	for _, c := range []struct{ line, parsed, want string }{
		{"larder run echo a", "echo a", "echo a"},
		{"larder run -- echo -- a", "echo -- a", "echo -- a"},
		{"larder run echo -- a", "echo a", "echo -- a"},
		{"larder run echo --", "echo", "echo --"},
		{"larder run echo -- echo", "echo echo", "echo -- echo"},
		{"larder run -- -- echo", "-- echo", "-- echo"},
		{"larder run --", "", ""},
	} {
		got := wholeCommand(strings.Fields(c.line), strings.Fields(c.parsed))
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q gives the command %q, want %q", c.line, got, c.want)
		}
	}
}

func TestHintNamesWhatPeopleGetWrong(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"tool.sh", "venv/pyvenv.cfg", "venv/bin/lint"} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	missing := fmt.Errorf("start: %w", &sandbox.ExecError{Program: "it", Errno: syscall.ENOENT})
	for _, c := range []struct{ argv, inputs, want string }{
		{"tests -- ls", "src", `began at "tests"`},
		{"./tool.sh", "", "add -i ./tool.sh"},
		{"./tool.sh", "src", ""},
		{"./none.sh", "", ""},
		{"lint --fix", "", "add --tool " + filepath.Join(root, "venv")},
		{"other --fix", "", ""},
		{"ls|head", "", "sh -c"},
		{filepath.Join(root, "tool.sh"), "", ""},
	} {
		wanted := &action.Action{Argv: strings.Fields(c.argv), Inputs: strings.Fields(c.inputs), Root: root}
		got := hint(wanted, action.NewResult(), missing)
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: hint %q, want %q in it", c.argv, got, c.want)
		}
	}
}
