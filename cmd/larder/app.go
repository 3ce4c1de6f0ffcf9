package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/cmd/larder/console"
)

// execute runs one command line and returns the exit code of the process.
func execute(ctx context.Context, args []string) int {
	if len(args) < 2 || args[1] != runName { // which knows later whether it is worth it
		collectSeldom()
	}
	app := newApp(args)
	out := &outlet{to: os.Stdout} // of help and completion
	app.Writer = out
	err := app.Run(ctx, args)
	if err == nil {
		err = out.err()
	}
	var exit exitCode
	if errors.As(err, &exit) {
		return int(exit)
	}
	if err != nil {
		complain(err)
		return codeFailed
	}
	return 0
}

// exitCode is the exit code of a process whose message, if any, is out already.
type exitCode int

// Error is never shown.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Exit codes of larder itself, as timeout(1), env(1) and docker use them.
const (
	codeTimedOut      = 124
	codeFailed        = 125
	codeNotExecutable = 126
	codeNotFound      = 127
)

func complain(err error) { tell("%v", err) }

// tell says something to the user. A command chooses names of files, and so parts
// of what is said; none of it does anything to a terminal.
func tell(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "larder: %s\n", console.CleanLines(fmt.Sprintf(format, args...)))
}

// newApp is the program as a command line needs it. Building it does no work.
func newApp(args []string) *cli.Command {
	return &cli.Command{
		Name:  "larder",
		Usage: "run build actions in sandboxes, with caches that survive and results that are kept",
		Description: "Start with:  larder run --preset mypy -- mypy src   (other tools: larder help presets)\n" +
			"See what this machine offers:  larder doctor",
		Flags: []cli.Flag{
			known(&cli.StringFlag{Name: "store", Usage: "`DIR` that holds blobs, results and caches (default: $LARDER_STORE, larder.toml, the user's cache directory)", Action: notEmpty("store")}),
			known(&cli.BoolFlag{Name: "version", Usage: "print the version", Local: true}),
		},
		Commands:                        commandsFor(args),
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: describeCompletion,
		DisableSliceFlagSeparator:       true,
		HideVersion:                     true,
		Action:                          helpOrUnknown,
		OnUsageError:                    usageError,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {},
		ErrWriter:                       io.Discard,
	}
}

// notEmpty refuses a folder that is an empty text, as of a variable of a script that
// is not set: another than the one that was meant would be used without a word.
func notEmpty(flag string) func(context.Context, *cli.Command, string) error {
	return func(_ context.Context, _ *cli.Command, given string) error {
		if given == "" {
			return fmt.Errorf("--%s: the text is empty; name a folder, or leave the flag out", flag)
		}
		return nil
	}
}

// commandsFor makes the command that a line begins with, or else all of them: the
// parser sets up every command that it is given, which takes longer than the rest
// of the line.
func commandsFor(args []string) (all []*cli.Command) {
	table := []struct {
		name string
		make func() *cli.Command
	}{
		{runName, runCommand}, {"build", buildCommand}, {"plan", planCommand}, {"worker", workerCommand}, {"shell", shellCommand}, {"digest", digestCommand}, {"explain", explainCommand},
		{"cache", cacheCommand}, {"doctor", doctorCommand},
		{"demo", demoCommand}, {"version", versionCommand}, {"", helpCommand}, // which shows them all
		{copierName, copyPayloadCommand}, {lookName, lookPayloadCommand},
	}
	for _, entry := range table {
		if len(args) > 1 && args[1] == entry.name {
			return []*cli.Command{entry.make()}
		}
	}
	for _, entry := range table {
		all = append(all, entry.make())
	}
	return append(all, laterCommands("serve")...)
}

// laterCommands are commands of the published contract that this version lacks:
// hidden, and refused by their name.
func laterCommands(names ...string) []*cli.Command {
	var commands []*cli.Command
	for _, name := range names {
		commands = append(commands, &cli.Command{Name: name, Hidden: true, SkipFlagParsing: true, Action: notYet})
	}
	return commands
}

func notYet(_ context.Context, command *cli.Command) error {
	return fmt.Errorf("%s: not yet in this version of larder", command.FullName())
}

// describeCompletion has the library's command for completion look and refuse as
// the others do.
func describeCompletion(command *cli.Command) {
	command.Hidden = false
	command.Usage = "print a completion script for bash, zsh, fish or pwsh"
	command.UsageText = "larder completion SHELL"
	command.OnUsageError = usageError
	command.Action = func(ctx context.Context, command *cli.Command) error {
		if command.Args().Len() == 0 {
			return fmt.Errorf("%s: name the shell: bash, zsh, fish or pwsh", command.FullName())
		}
		return helpOrUnknown(ctx, command)
	}
	for _, shell := range command.Commands {
		script := shell.Action
		shell.OnUsageError = usageError
		shell.Action = func(ctx context.Context, command *cli.Command) error {
			if err := needArgs(command, 0, 0); err != nil {
				return err
			}
			return script(ctx, command)
		}
	}
}

// needArgs refuses a call with the wrong number of arguments; most below zero
// is no upper bound.
func needArgs(command *cli.Command, least, most int) error {
	n := command.Args().Len()
	if n < least || most >= 0 && n > most {
		usage := strings.TrimSpace(command.FullName() + " " + command.ArgsUsage)
		return fmt.Errorf("%s: arguments given: %d; usage: %s", command.FullName(), n, usage)
	}
	return nil
}
