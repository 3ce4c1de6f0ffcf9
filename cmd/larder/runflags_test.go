package main

import (
	"slices"
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
