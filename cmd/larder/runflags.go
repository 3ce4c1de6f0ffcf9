package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/executor/action"
	"larder/executor/preset"
)

// runOptions are the flags of run as they were given. Flags write into it while
// they are parsed: asking the parser for one by name costs a search each time.
type runOptions struct {
	root, outputTo, setup, teardown, network, timeout string
	host, sandbox, keep, kept                         string
	results, json, trace, spec, preset                string
	inputs, trees, tools, payloads, outputs, env      []string
	appendOnly, mutable, observe                      []string
	memory, cpuTime, outputLimit                      string
	pids                                              int
	explain                                           bool
	noCache, strict, userns                           bool
	shell, publish                                    bool // of larder shell
	// chosen is the preset that --preset names, once it is looked up.
	chosen preset.Preset
}

// runFlags are the flags of run. Those of capabilities that this version does
// not have are in laterFlags, so that they are refused and not ignored.
func runFlags(o *runOptions) []cli.Flag {
	return append([]cli.Flag{
		textFlag("root", &o.root, "host `DIR` that inputs and outputs are relative to (default: the current directory)", "C"),
		listFlag("input", &o.inputs, "files under the root to give the command, which sees no others: a `PATTERN` in gitignore syntax; '.' is everything that .gitignore and .larderignore do not exclude", "i"),
		listFlag("tree", &o.trees, "put a tree that is in the store at PATH: `DIGEST=PATH`"),
		listFlag("tool", &o.tools, "host `PATH` (relative to the current directory), visible read-only at the same place; its bin folder joins the command's PATH"),
		listFlag("payload", &o.payloads, "a large host directory that does not change, visible read-only at PATH, from local disk once a copy in the background is ready: `HOSTPATH=PATH[,copy=remote|always|never]`"),
		listFlag("output", &o.outputs, "`PATH` that the action makes; written back under the root when it succeeded", "o"),
		known(&cli.StringFlag{Name: "output-to", Destination: &o.outputTo, Usage: "write outputs to `DIR` instead; none keeps only their digests", Action: notEmpty("output-to")}),
		listFlag("env", &o.env, "set one variable, or pass yours through: `NAME[=VALUE]`", "e"),
		listFlag("append-only", &o.appendOnly, "a cache to which the command may only add, at PATH: `NAME=PATH[,OPT...]`"),
		listFlag("mutable", &o.mutable, "a cache that the command changes in private and that is swapped in whole: `NAME=PATH[,OPT...]`"),
		listFlag("observe", &o.observe, "host `PATH` whose state the result depends on"),
		textFlag("setup", &o.setup, "shell `CMD` before the command, in the same sandbox"),
		textFlag("teardown", &o.teardown, "shell `CMD` after it, which never changes the exit code"),
		textFlag("network", &o.network, "`NET` of the command: none (loopback only, the default) or host"),
		textFlag("timeout", &o.timeout, "end the command after `DUR`, such as 90s; set-up does not count"),
		textFlag("memory", &o.memory, "most memory of all its processes together, `SIZE` such as 512M or 2G; page cache counts"),
		known(&cli.IntFlag{Name: "pids", Destination: &o.pids, Usage: "most processes and threads at one time, `N`", Action: somePids}),
		textFlag("cpu-time", &o.cpuTime, "most processor time of all its processes together, `DUR`"),
		textFlag("output-limit", &o.outputLimit, "most that it may print, and most that it may write to disk, `SIZE`"),
		textFlag("results", &o.results, "`USE` of kept results: off, read, write or read-write (the default)"),
		known(&cli.BoolFlag{Name: "no-cache", Destination: &o.noCache, Usage: "the same as --results off"}),
		known(&cli.BoolFlag{Name: "strict", Destination: &o.strict, Usage: "breaking the rules of an append-only cache fails the action"}),
		textFlag("host", &o.host, "what of the host is `VISIBLE` beside --tool and --payload: system (its system folders, the default) or none"),
		textFlag("sandbox", &o.sandbox, "`KIND` of sandbox: namespaces, directory (no isolation, but the same results and caches), or auto (namespaces where they are to be had, the default)"),
		known(&cli.BoolFlag{Name: "allow-userns", Destination: &o.userns, Usage: "let the command make user namespaces and mounts in them, as sandboxes in it need"}),
		textFlag("keep-sandbox", &o.keep, "`WHEN` to keep what the command saw and wrote, with a script that re-enters it: never (the default), on-failure or always"),
		onlyFlag("exec", "local", "where to run: `local`"),
		onlyFlag("remote-caches", "none", "named caches on a cluster: `none`"),
		textFlag("json", &o.json, "write the result record to `FILE` (-: standard output)"),
		textFlag("trace", &o.trace, "write what took how long to `FILE`, as Chrome trace events"),
		known(&cli.BoolFlag{Name: "explain", Destination: &o.explain, Usage: "say why the result was not taken from the cache: what differs from the last run of the same command"}),
		textFlag("spec", &o.spec, "read the request from `FILE`; flags override it"),
		textFlag("preset", &o.preset, "start from what suits a known tool, `NAME`; flags add to it or override it (larder help presets)"),
	}, laterFlags()...)
}

// ownFiles are the files that larder writes for the user while it works: they are
// no inputs.
func (o *runOptions) ownFiles(here string) (files []string) {
	for _, file := range []string{o.json, o.trace} {
		if file != "" && file != "-" {
			files = append(files, absolute(here, file))
		}
	}
	return files
}

func textFlag(name string, to *string, usage string, aliases ...string) cli.Flag {
	return known(&cli.StringFlag{Name: name, Destination: to, Usage: usage, Aliases: aliases})
}

// knownFlag is a flag that knows its names. The parser asks all flags for theirs
// several times a line, and those of the library then look for commas in each, by
// a regular expression.
type knownFlag[T, C any, V cli.ValueCreator[T, C]] struct {
	*cli.FlagBase[T, C, V]
	names []string
}

func known[T, C any, V cli.ValueCreator[T, C]](flag *cli.FlagBase[T, C, V]) *knownFlag[T, C, V] {
	return &knownFlag[T, C, V]{flag, append([]string{flag.Name}, flag.Aliases...)}
}

// Names are the name of the flag and its aliases.
func (f *knownFlag[T, C, V]) Names() []string { return f.names }

// knowHelp does the same for the flag that the library adds to every command. One
// line has one command, so that it is one flag for all of them does no harm.
func knowHelp() {
	if flag, ok := cli.HelpFlag.(*cli.BoolFlag); ok {
		cli.HelpFlag = known(flag)
	}
}

// repeated is a flag that may be given more than once. Help shows it like any
// other: the text of run says which flags repeat.
type repeated struct {
	*knownFlag[[]string, cli.StringConfig, cli.StringSlice]
}

// IsMultiValueFlag keeps help from writing every name a second time.
func (repeated) IsMultiValueFlag() bool { return false }

// String is the line of the flag in help.
func (f repeated) String() string { return cli.FlagStringer(f) }

func listFlag(name string, to *[]string, usage string, aliases ...string) cli.Flag {
	return repeated{known(&cli.StringSliceFlag{Name: name, Destination: to, Usage: usage, Aliases: aliases})}
}

// onlyFlag takes the one value that this version has.
func onlyFlag(name, only, usage string) cli.Flag {
	return known(&cli.StringFlag{Name: name, Usage: usage + " (the only one yet)", Action: func(_ context.Context, _ *cli.Command, value string) error {
		if value != only {
			return fmt.Errorf("--%s %s: not yet in this version of larder; there is %s only", name, value, only)
		}
		return nil
	}})
}

// somePids refuses what would be taken for no limit.
func somePids(_ context.Context, _ *cli.Command, n int) error {
	if n < 1 {
		return fmt.Errorf("--pids %d: give a number of processes above zero, or leave it out for no limit", n)
	}
	return nil
}

// laterFlags are those of the published contract that this version lacks.
func laterFlags() []cli.Flag {
	return laterValues("remote", "instance")
}

// laterValues are refused flags with a value.
func laterValues(names ...string) []cli.Flag {
	var flags []cli.Flag
	for _, name := range names {
		flags = append(flags, known(&cli.StringSliceFlag{Name: name, Hidden: true, Action: func(context.Context, *cli.Command, []string) error { return later(name) }}))
	}
	return flags
}

func later(name string) error {
	return fmt.Errorf("--%s: not yet in this version of larder; leave it out", name)
}

// fill puts what the flags and the rest of the line say over a spec.
func (o *runOptions) fill(spec *action.Spec, argv []string, configured settings) error {
	override(&spec.Inputs, o.inputs)
	override(&spec.Tools, o.tools)
	override(&spec.Outputs, o.outputs)
	override(&spec.Observe, o.observe)
	override(&spec.Argv, argv)
	for _, pair := range []struct{ to, from *string }{
		{&spec.Root, &o.root}, {&spec.Setup, &o.setup}, {&spec.Teardown, &o.teardown},
		{&spec.Network, &o.network}, {&spec.Host, &o.host}, {&spec.Timeout, &o.timeout},
		{&spec.Memory, &o.memory}, {&spec.CPUTime, &o.cpuTime}, {&spec.OutputLimit, &o.outputLimit},
	} {
		if *pair.from != "" {
			*pair.to = *pair.from
		}
	}
	if o.pids != 0 {
		spec.Pids = o.pids
	}
	spec.Strict = spec.Strict || o.strict
	spec.Userns = spec.Userns || o.userns
	setEnv(spec, o.env)
	if err := setTrees(spec, o.trees); err != nil {
		return err
	}
	if err := setPayloads(spec, o.payloads); err != nil {
		return err
	}
	if err := setCaches(spec, "append-only", o.appendOnly, configured); err != nil {
		return err
	}
	return setCaches(spec, "mutable", o.mutable, configured)
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
		if !hasValue && name != "" { // one without a name is refused with the rest
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

func setPayloads(spec *action.Spec, given []string) error {
	for _, text := range given {
		payload, err := action.ParsePayloadFlag(text)
		if err != nil {
			return fmt.Errorf("--payload: %w", err)
		}
		spec.Payloads = append(spec.Payloads, payload)
	}
	return nil
}

// setCaches adds the declared caches; one with the name and the path of an
// earlier one, from the spec, takes its place.
func setCaches(spec *action.Spec, mode string, given []string, configured settings) error {
	for _, text := range given {
		name, _, _ := strings.Cut(strings.SplitN(text, ",", 2)[0], "=")
		cache, err := action.ParseCacheFlag(mode, text, configured.Caches[name].Spec())
		if err != nil {
			return fmt.Errorf("--%s: %w", mode, err)
		}
		spec.Caches = slices.DeleteFunc(spec.Caches, func(c action.CacheSpec) bool {
			return c.Name == cache.Name && c.Path == cache.Path
		})
		spec.Caches = append(spec.Caches, cache)
	}
	return nil
}
