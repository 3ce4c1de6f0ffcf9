package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/executor/action"
)

// runFlags are the flags of run. Those of capabilities that this version does
// not have are in laterFlags, so that they are refused and not ignored.
func runFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "root", Aliases: []string{"C"}, Usage: "host `DIR` that inputs and outputs are relative to (default: the current directory)"},
		&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "files under the root to give the action: a `PATTERN` in gitignore syntax; '.' is everything that .gitignore and .larderignore do not exclude"},
		&cli.StringSliceFlag{Name: "tree", Usage: "`DIGEST=PATH`: a tree that is in the store, at PATH"},
		&cli.StringSliceFlag{Name: "tool", Usage: "host `PATH`, visible read-only at the same place; its bin folder joins PATH"},
		&cli.StringSliceFlag{Name: "output", Aliases: []string{"o"}, Usage: "`PATH` that the action makes; written back under the root when it succeeded"},
		&cli.StringFlag{Name: "output-to", Usage: "write outputs to `DIR` instead; none keeps only their digests"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "`NAME[=VALUE]`: set, or pass through, one variable"},
		&cli.StringSliceFlag{Name: "append-only", Usage: "`NAME=PATH[,OPT...]`: a cache to which the action may only add"},
		&cli.StringSliceFlag{Name: "mutable", Usage: "`NAME=PATH[,OPT...]`: a cache that the action changes in private and that is swapped in whole"},
		&cli.StringSliceFlag{Name: "observe", Usage: "host `PATH` whose state the result depends on"},
		&cli.StringFlag{Name: "setup", Usage: "shell `CMD` before the command, in the same sandbox"},
		&cli.StringFlag{Name: "teardown", Usage: "shell `CMD` after it, which never changes the exit code"},
		&cli.StringFlag{Name: "network", Usage: "`none` (loopback only, the default) or host"},
		&cli.StringFlag{Name: "host", Usage: "what of the host is visible: `system` (the default)"},
		&cli.StringFlag{Name: "timeout", Usage: "end the command after `DUR`, such as 90s; set-up does not count"},
		&cli.StringFlag{Name: "results", Usage: "use of kept results: off, read, write or `read-write` (the default)"},
		&cli.BoolFlag{Name: "no-cache", Usage: "the same as --results off"},
		&cli.BoolFlag{Name: "strict", Usage: "breaking the rules of an append-only cache fails the action"},
		&cli.StringFlag{Name: "keep-sandbox", Usage: "`never` (the default)"},
		&cli.StringFlag{Name: "json", Usage: "write the result record to `FILE` (-: standard output)"},
		&cli.StringFlag{Name: "spec", Usage: "read the request from `FILE`; flags override it"},
	}, laterFlags()...)
}

// laterNames are flags of the published contract that this version lacks.
func laterNames() []string {
	return []string{
		"payload", "memory", "pids", "cpu-time", "output-limit", "remote", "instance", "exec",
		"remote-caches", "trace", "preset",
	}
}

func laterFlags() []cli.Flag {
	flags := []cli.Flag{&cli.BoolFlag{Name: "explain", Hidden: true}}
	for _, name := range laterNames() {
		flags = append(flags, &cli.StringSliceFlag{Name: name, Hidden: true})
	}
	return flags
}

// refuseLater names the first flag that this version cannot honour.
func refuseLater(command *cli.Command) error {
	for _, name := range append(laterNames(), "explain") {
		if command.IsSet(name) {
			return fmt.Errorf("--%s: not yet in this version of larder; leave it out", name)
		}
	}
	for name, only := range map[string]string{"host": "system", "keep-sandbox": "never"} {
		if value := command.String(name); command.IsSet(name) && value != only {
			return fmt.Errorf("--%s %s: not yet in this version of larder; there is %s only", name, value, only)
		}
	}
	return nil
}

// specOf builds the request: the file of --spec, with what flags say over it.
func specOf(command *cli.Command, configured settings) (action.Spec, error) {
	spec, err := readSpec(command.String("spec"))
	if err != nil {
		return action.Spec{}, err
	}
	override(&spec.Inputs, command.StringSlice("input"))
	override(&spec.Tools, command.StringSlice("tool"))
	override(&spec.Outputs, command.StringSlice("output"))
	override(&spec.Observe, command.StringSlice("observe"))
	override(&spec.Argv, command.Args().Slice())
	for name, to := range map[string]*string{
		"root": &spec.Root, "setup": &spec.Setup, "teardown": &spec.Teardown,
		"network": &spec.Network, "timeout": &spec.Timeout,
	} {
		if command.IsSet(name) {
			*to = command.String(name)
		}
	}
	spec.Strict = spec.Strict || command.Bool("strict")
	setEnv(&spec, command.StringSlice("env"))
	if err := setTrees(&spec, command.StringSlice("tree")); err != nil {
		return action.Spec{}, err
	}
	return spec, setCaches(&spec, command, configured)
}

func readSpec(path string) (action.Spec, error) {
	if path == "" {
		return action.Spec{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return action.Spec{}, fmt.Errorf("read the spec: %w", err)
	}
	spec, err := action.ParseSpec(data)
	if err != nil {
		return action.Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	return spec, nil
}

func override(list *[]string, given []string) {
	if len(given) > 0 {
		*list = given
	}
}

// setEnv sets NAME=VALUE, and passes NAME through when the caller has it.
func setEnv(spec *action.Spec, given []string) {
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	for _, text := range given {
		name, value, hasValue := strings.Cut(text, "=")
		if !hasValue {
			if value, hasValue = os.LookupEnv(name); !hasValue {
				continue
			}
		}
		spec.Env[name] = value
	}
}

func setTrees(spec *action.Spec, given []string) error {
	for _, text := range given {
		d, path, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("--tree %s: write DIGEST=PATH", text)
		}
		spec.Trees = append(spec.Trees, action.TreeSpec{Digest: d, Path: path})
	}
	return nil
}

// setCaches adds the declared caches; one with the name of an earlier one, from
// the spec, takes its place.
func setCaches(spec *action.Spec, command *cli.Command, configured settings) error {
	for _, mode := range []string{"append-only", "mutable"} {
		for _, text := range command.StringSlice(mode) {
			name, _, _ := strings.Cut(strings.SplitN(text, ",", 2)[0], "=")
			cache, err := action.ParseCacheFlag(mode, text, configured.Caches[name].spec())
			if err != nil {
				return fmt.Errorf("--%s: %w", mode, err)
			}
			spec.Caches = slices.DeleteFunc(spec.Caches, func(c action.CacheSpec) bool {
				return c.Name == cache.Name && c.Path == cache.Path
			})
			spec.Caches = append(spec.Caches, cache)
		}
	}
	return nil
}
