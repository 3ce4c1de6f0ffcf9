package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"larder/executor/action"
	"larder/sandbox"
)

// hint names the mistake that a request most likely has, when its end looks like
// one of those that people make first; "" otherwise. What a command without
// inputs says is left alone unless a person is there to read it.
func hint(wanted *action.Action, result *action.Result, err error) string {
	var notStarted *sandbox.ExecError
	switch {
	case errors.As(err, &notStarted):
		if wanted.Host == action.HostNone {
			return hintForBare(notStarted)
		}
		return hintForProgram(wanted)
	case err == nil && result.Status == action.StatusFailed && len(wanted.Inputs)+len(wanted.Trees) == 0 && isTerminal(os.Stderr):
		return fmt.Sprintf("no -i was given, so the command saw none of the files of %s; -i . gives it those that are not ignored", wanted.Root)
	}
	return ""
}

// hintForProgram is for a program that could not be started.
func hintForProgram(wanted *action.Action) string {
	program := wanted.Argv[0]
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		return hintForPath(wanted, program)
	}
	if slices.Contains(wanted.Argv[1:], "--") {
		return fmt.Sprintf("the command began at %q: a flag takes one value, so write it again for each (-i src -i tests)", program)
	}
	if strings.ContainsAny(program, " |;&<>") {
		return "a command is one word for each argument, without a shell; for a line of shell write -- sh -c 'LINE'"
	}
	for _, name := range []string{".venv", "venv"} {
		environment := filepath.Join(wanted.Root, name)
		if _, err := os.Stat(filepath.Join(environment, "bin", program)); err == nil {
			return fmt.Sprintf("%s has it; add --tool %s", environment, environment)
		}
	}
	return ""
}

// hintForPath is for a program that was named by a path below the root.
func hintForPath(wanted *action.Action, program string) string {
	onHost := filepath.Join(wanted.Root, program)
	if _, err := os.Stat(onHost); err != nil {
		return ""
	}
	if len(wanted.Inputs) == 0 {
		return fmt.Sprintf("%s is not among the inputs; add -i %s", onHost, program)
	}
	return ""
}
