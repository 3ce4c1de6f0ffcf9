package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// helpOrUnknown is what a command that only holds others does itself.
func helpOrUnknown(_ context.Context, command *cli.Command) error {
	name := command.Args().First()
	root := command.Root() == command
	switch {
	case name != "" && root:
		return fmt.Errorf("there is no command %q%s; see larder help (to run a program, write larder run -- %s)", name, didYouMean(name, cli.SuggestCommand(command.Commands, name)), name)
	case name != "":
		return fmt.Errorf("there is no command %q%s; see %s --help", command.FullName()+" "+name, didYouMean(name, cli.SuggestCommand(command.Commands, name)), command.FullName())
	case root && command.Bool("version"):
		return printVersion()
	case root:
		return cli.ShowRootCommandHelp(command)
	}
	return cli.ShowSubcommandHelp(command)
}

// usageError says where the flags are listed. The parser does not say how many
// dashes an unknown flag had, so it is written as flags are here.
func usageError(_ context.Context, command *cli.Command, err error, _ bool) error {
	if _, flag, ok := strings.Cut(err.Error(), "flag provided but not defined: -"); ok {
		dashes := "--"
		if len(flag) == 1 {
			dashes = "-"
		}
		like := didYouMean(dashes+flag, cli.SuggestFlag(command.Flags, flag, command.HideHelp))
		return fmt.Errorf("there is no flag %s%s%s; see %s --help", dashes, flag, like, command.FullName())
	}
	if value, flag, ok := strings.Cut(err.Error(), " for flag -"); ok {
		flag, _, _ = strings.Cut(flag, ":") // what follows speaks of Go
		return fmt.Errorf("%s for --%s; see %s --help", value, flag, command.FullName())
	}
	return fmt.Errorf("%w; see %s --help", err, command.FullName())
}

// didYouMean asks for the nearest name. Names that begin otherwise are near by
// chance: the first letter is rarely wrong.
func didYouMean(given, nearest string) string {
	letters, near := strings.TrimLeft(given, "-"), strings.TrimLeft(nearest, "-")
	if letters == "" || near == "" || letters[0] != near[0] {
		return ""
	}
	return ", did you mean " + nearest + "?"
}
