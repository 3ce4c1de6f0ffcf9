package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/sandbox"
)

// enterKept is larder shell --kept DIR: a shell, or a command, in what a run left.
func enterKept(ctx context.Context, folder string, argv []string) error {
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	kept, err := local.OpenKept(absolute(here, folder))
	if err != nil {
		return err
	}
	defer kept.Close()
	if len(argv) == 0 {
		argv = shellOf(kept.Host())
		tell("the sandbox of %q as it was left; what is written stays in %s; exit leaves it", strings.Join(kept.Command(), " "), folder)
	}
	ctx, signals, stop := relaySignals(ctx)
	defer stop()
	status, err := kept.Run(ctx, sandbox.Config{
		Args: argv, Env: []string{`PS1=larder:$PWD\$ `, "TERM=" + os.Getenv("TERM")},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals, Grace: grace / 2,
		Terminal: executor.ClassifyInput(os.Stdin).Kind == executor.InputTerminal,
	})
	if status.Exec != nil {
		err = errors.Join(err, status.Exec)
	}
	result := &action.Result{ExitCode: status.ExitCode}
	if status.Signal != 0 {
		result.ExitCode = 128 + int(status.Signal)
	}
	if err != nil {
		complain(err)
	}
	if code := exitCodeOf(result, err); code != 0 {
		return exitCode(code)
	}
	return nil
}
