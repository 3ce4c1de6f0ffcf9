package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// The names that flags know are what the library would find out.
func TestFlagsKnowTheirNames(t *testing.T) {
	seen := map[string]bool{}
	for _, flag := range runFlags(&runOptions{}) {
		names := flag.Names()
		for _, name := range names {
			if seen[name] {
				t.Errorf("there are two flags --%s", name)
			}
			seen[name] = true
		}
		if found := cli.FlagNames(names[0], names[1:]); !slices.Equal(found, names) {
			t.Errorf("a flag says %q, the library makes %q of it", names, found)
		}
	}
	for _, name := range []string{"root", "C", "input", "i", "no-cache", "pids", "remote"} {
		if !seen[name] {
			t.Errorf("no flag says that it is --%s", name)
		}
	}
}

func TestFlagsThatKnowTheirNamesAreParsed(t *testing.T) {
	var options runOptions
	command := &cli.Command{Name: runName, Flags: runFlags(&options), DisableSliceFlagSeparator: true}
	err := command.Run(t.Context(), []string{runName, "-i", "a", "--input", "b,c", "--no-cache", "--pids=3", "-C", "/"})
	if err != nil || !slices.Equal(options.inputs, []string{"a", "b,c"}) || !options.noCache || options.pids != 3 || options.root != "/" {
		t.Errorf("%+v, %v", options, err)
	}
}

// Help is one flag for all commands of a line, and still each shows its own.
func TestHelpKnowsItsNames(t *testing.T) {
	before := cli.HelpFlag
	t.Cleanup(func() { cli.HelpFlag = before })
	knowHelp()
	if found, want := cli.HelpFlag.Names(), before.Names(); !slices.Equal(found, want) {
		t.Errorf("help is %q, without that it is %q", found, want)
	}
	for _, line := range [][]string{{"larder", "--help"}, {"larder", "run", "-h"}, {"larder", "cache", "list", "--help"}} {
		var text strings.Builder
		app := newApp(line)
		app.Writer = &text
		if err := app.Run(t.Context(), line); err != nil || !strings.Contains(text.String(), strings.Join(line[:len(line)-1], " ")+" ") {
			t.Errorf("%q: %v, and shows\n%s", line, err, text.String())
		}
	}
}
