package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/executor/preset"
)

// helpCommand is help as the library has it, with topics of our own.
func helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Aliases: []string{"h"}, Usage: "show the commands, help for one command, or: larder help presets",
		ArgsUsage: "[COMMAND | presets [NAME]]", HideHelp: true, OnUsageError: usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			switch topic := command.Args().First(); topic {
			case "":
				return cli.ShowRootCommandHelp(command.Root())
			case "presets":
				return helpPresets(command)
			default:
				return helpFor(ctx, command.Root(), command.Args().Slice())
			}
		},
	}
}

// helpFor shows help for a command, or for one that belongs to it, as cache list.
func helpFor(ctx context.Context, within *cli.Command, names []string) error {
	one := within.Command(names[0])
	switch {
	case one == nil:
		return fmt.Errorf("there is no help for %q; larder help lists the commands, larder help presets the presets", names[0])
	case len(names) > 1 && len(one.Commands) > 0:
		return helpFor(ctx, one, names[1:])
	}
	return cli.ShowCommandHelp(ctx, within, names[0])
}

// helpPresets lists the presets, those of larder.toml among them, or shows all
// of one.
func helpPresets(command *cli.Command) error {
	if err := needArgs(command, 1, 2); err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	configured, bad := loadUsable(here)
	for _, err := range bad { // who looks for help may look for what is wrong with it
		complain(fmt.Errorf("%w; nothing of this file is used here", err))
	}
	if name := command.Args().Get(1); name != "" {
		one, err := preset.Find(name, configured.Presets)
		if err != nil {
			return fmt.Errorf("help presets: %w", err)
		}
		_, err = fmt.Printf("%s: %s\n\nlarder run --preset %s -- %s\n\n%s\n%s", name, one.Summary, name, cmp.Or(one.Command, "COMMAND"), presetText(one), one.Why+"\n")
		return err
	}
	all, err := preset.All(configured.Presets)
	if err != nil {
		return err
	}
	out := table{heading: []string{"PRESET", "FOR", "EXAMPLE"}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.add(name, all[name].Summary, "larder run --preset "+name+" -- "+cmp.Or(all[name].Command, "COMMAND"))
	}
	if err := out.printHuman(); err != nil {
		return err
	}
	_, err = fmt.Println("\nlarder help presets NAME shows what one does. Flags add to a preset or override it;\n[preset.NAME] in larder.toml adds to one, or makes one of your own.")
	return err
}

// presetText is a preset in the spelling of the flags.
func presetText(p preset.Preset) string {
	var text strings.Builder
	line := func(flag string, values ...string) {
		for _, value := range values {
			if value != "" {
				fmt.Fprintf(&text, "  --%s %s\n", flag, value)
			}
		}
	}
	line("input", p.Inputs...)
	line("tool", p.Tools...)
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		line("env", name+"="+p.Env[name])
	}
	line("setup", p.Setup)
	line("teardown", p.Teardown)
	for _, name := range slices.Sorted(maps.Keys(p.Caches)) {
		line(p.Caches[name].Mode, cacheText(name, p.Caches[name]))
	}
	return text.String()
}

// cacheText is a cache as --append-only and --mutable take it.
func cacheText(name string, c preset.Cache) string {
	text := name + "=" + c.Path
	for _, option := range [][2]string{
		{"publish", c.Publish}, {"scope", c.Scope}, {"key", c.Key}, {"on-conflict", c.OnConflict},
		{"unit", c.Unit}, {"share", c.Share},
	} {
		if option[1] != "" {
			text += "," + option[0] + "=" + option[1]
		}
	}
	if c.Lock {
		text += ",lock=true"
	}
	if c.Keep != 0 {
		text += fmt.Sprintf(",keep=%d", c.Keep)
	}
	return text
}
