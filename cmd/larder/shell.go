package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/executor"
	"larder/executor/action"
)

func shellCommand() *cli.Command {
	one, options := 1, &runOptions{shell: true}
	flags := append(runFlags(options), &cli.BoolFlag{
		Name: "publish", Destination: &options.publish, Usage: "publish the caches as after a run, when the shell ends with a code that they publish after",
	}, textFlag("kept", &options.kept, "re-enter the sandbox that a run has kept in `DIR` (--keep-sandbox); other flags do not count, and COMMAND runs in the place of the shell"))
	return &cli.Command{
		Name: "shell", Usage: "an interactive shell in the sandbox that run would use",
		UsageText: "larder shell [flags of run] [--] [COMMAND [ARG...]]",
		Description: "The sandbox is made as for COMMAND, with its program, inputs and caches, and a shell runs in\n" +
			"its place. What the shell changes is discarded when it ends: files, outputs, and caches too unless\n" +
			"--publish is given. The exit code is that of the shell.",
		Flags: flags, StopOnNthArg: &one,
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return shell(ctx, command, options)
		},
	}
}

// shell is larder shell.
func shell(ctx context.Context, command *cli.Command, options *runOptions) error {
	if options.kept != "" {
		return enterKept(ctx, options.kept, wholeCommand(os.Args, command.Args().Slice()))
	}
	request, shop, err := prepare(ctx, command, options)
	if err == nil {
		asShell(&request, options)
		tell("a shell in the sandbox of %q; %s; exit leaves it", strings.Join(request.Action.Argv, " "), whatStays(request.Action, options))
	}
	return perform(ctx, order{Request: request, record: options.json, trace: options.trace, preset: options.chosen}, shop, err)
}

// fallBack gives larder shell something to make a sandbox for: the example of the
// preset, or the shell itself.
func (o *runOptions) fallBack(spec *action.Spec) {
	if !o.shell || len(spec.Argv) > 0 {
		return
	}
	if spec.Argv = strings.Fields(o.chosen.Command); len(spec.Argv) == 0 {
		spec.Argv = shellOf(action.Host(spec.Host))
	}
}

// asShell turns a request for a run into one for a shell.
func asShell(request *executor.Request, options *runOptions) {
	wanted := request.Action
	request.Instead = shellOf(wanted.Host)
	request.Results = executor.ResultPolicy{}
	request.Streams = streamsFor(request.Results, options.json)
	request.OutputTo, wanted.Outputs = executor.OutputNone, nil
	if !options.publish {
		for i := range wanted.Caches {
			wanted.Caches[i].Publish = caches.PublishPolicy{}
		}
	}
	addVariable(wanted, "PS1", `larder:$PWD\$ `)
	addVariable(wanted, "TERM", os.Getenv("TERM"))
}

// shellOf is the best shell that a sandbox has: without the host's folders, what
// a tool has under the name that every system knows.
func shellOf(host action.Host) []string {
	if host == action.HostNone {
		return []string{"sh"}
	}
	if _, err := os.Stat("/bin/bash"); err == nil {
		return []string{"/bin/bash"}
	}
	return []string{"/bin/sh"}
}

// addVariable sets a variable that the user has not set.
func addVariable(wanted *action.Action, name, value string) {
	isSet := slices.ContainsFunc(wanted.Env, func(v action.Variable) bool { return v.Name == name })
	if value != "" && !isSet {
		wanted.Env = append(wanted.Env, action.Variable{Name: name, Value: value})
	}
}

// whatStays says what becomes of changes.
func whatStays(wanted *action.Action, options *runOptions) string {
	switch {
	case len(wanted.Caches) == 0:
		return "what it writes is discarded"
	case options.publish:
		return "what it writes is discarded, except for caches"
	case slices.ContainsFunc(wanted.Caches, func(c action.Cache) bool { return c.Live }):
		return "what it writes is discarded, except in caches with share=live (--publish keeps the others too)"
	}
	return "what it writes is discarded, in caches too (--publish keeps those)"
}
