package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/named"
	"larder/cmd/larder/console"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/executor/preset"
	"larder/sandbox"
)

// runName is the command by which one action runs.
const runName = "run"

func runCommand() *cli.Command {
	one, options := 1, &runOptions{}
	return &cli.Command{
		Name: runName, Usage: "run one command in a sandbox",
		UsageText: "larder run [flags] [--] COMMAND [ARG...]",
		Description: "The command sees the files that -i names, the host's system folders, what --tool\n" +
			"names, and caches. Flags that take a list (-i, --tool, -o, -e, caches) are repeated:\n" +
			"-i src -i tests.\n\n" +
			"OPT of a cache: publish=0,1 (exit codes after which it is kept; default 0), scope=repo|global|TEXT,\n" +
			"key=TEXT, on-conflict=merge|replace|discard, keep=N (generations for larder cache rollback),\n" +
			"lock=true (one action at a time; others wait), unit=GLOB (directories of an append-only cache that\n" +
			"are added whole or not at all), share=live (all actions write to one directory at once: nothing is\n" +
			"enforced or merged there, and a crash may leave torn files).",
		Flags: runFlags(options), StopOnNthArg: &one,
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return run(ctx, command, options)
		},
	}
}

// run is larder run, from flags to exit code.
func run(ctx context.Context, command *cli.Command, options *runOptions) error {
	if err := checkRecord(options.json); err != nil {
		return err
	}
	foreseen := options.foresee()
	request, shop, err := prepare(ctx, command, options)
	return perform(ctx, order{request, options.json, options.trace, options.chosen, options.explain, foreseen}, shop, err)
}

// order is a request with the places for its record and its trace, and the preset
// that it began with.
type order struct {
	executor.Request
	record string
	trace  string
	preset preset.Preset // the zero value is none
	// explain has it said why the command ran, or did not.
	explain bool
	// foreseen is nil where the flags do not say enough.
	foreseen *local.Foreseen
}

// foresee begins the sandbox of a request that nobody has read the rest of yet, nor
// the configuration: when the answer is not looked for and the flags say all that
// its namespaces depend on. What they say wrongly is refused later.
func (o *runOptions) foresee() *local.Foreseen {
	isOff := o.noCache || cmp.Or(o.results, os.Getenv("LARDER_RESULTS")) == "off"
	isPlain := o.spec == "" && o.preset == "" && !o.userns && o.pids == 0 && o.memory+o.cpuTime+o.outputLimit == ""
	kind := local.Kind(cmp.Or(o.sandbox, os.Getenv("LARDER_SANDBOX"), string(local.KindAuto)))
	if !isOff || !isPlain || kind != local.KindAuto && kind != local.KindNamespaces {
		return nil
	}
	network := cmp.Or(action.Network(o.network), action.NetworkNone)
	return local.Foresee(network, cmp.Or(action.Host(o.host), action.HostSystem))
}

// perform takes a request to its exit code; err says why it could not be made.
func perform(ctx context.Context, o order, shop *workshop, err error) error {
	if err != nil {
		o.foreseen.Drop()
		result := refused()
		result.ExitCode = exitCodeOf(result, err)
		complain(errors.Join(err, writeRecord(o.record, result)))
		return exitCode(result.ExitCode)
	}
	suitRuntime(o.Action)
	shop.final = true
	runner := shop.runner()
	if !o.Results.Read {
		runner.Begin(o.Action, o.foreseen)
	}
	ctx, signals, stop := relayToOne(ctx)
	defer stop()
	o.Signals = signals
	why := shop.reasons(o.Action)
	o.Missed = why.note
	if o.explain {
		o.Missed = why.tell(ctx)
	}
	o.Say = func(text string) { tell("%s", text) }
	shown := &outlet{to: o.Streams.Stdout}
	o.Streams.Stdout = shown
	result, err := traced(o.trace, o.Request, func(request executor.Request) (*action.Result, error) {
		return shop.executor(runner).Run(ctx, request)
	})
	if err == nil {
		err = shown.settle(result)
	}
	err = missedBy(o.preset, o.Action.Root, o.Action.Argv, brokenOff(ctx, err))
	result.ExitCode = exitCodeOf(result, err)
	shop.writeDown(result, err)
	if o.Results.Write {
		why.keep(result)
	}
	if o.explain {
		why.tellHit(result)
	}
	if published(result) || keptAnswer(o.Request, result) && shop.untended() {
		defer shop.leaveWork()
	}
	reportWarnings(result)
	if o.Keep == executor.KeepAlways && err == nil && result.KeptSandbox == "" && result.Cached != "no" {
		complain(errors.New("there is no sandbox to keep: the answer was known; --no-cache runs the command"))
	}
	reportEnd(o.Action, result, err)
	if text := hint(o.Action, result, err); text != "" && (err != nil || o.Instead == nil) {
		tell("%s", text)
	}
	if err := writeRecord(o.record, result); err != nil {
		return err
	}
	if result.ExitCode != 0 {
		return exitCode(result.ExitCode)
	}
	return nil
}

// refused is the record of a request that was wrong in itself.
func refused() *action.Result {
	result := action.NewResult()
	result.Status, result.ExitCode = action.StatusError, codeFailed
	return result
}

// checkRoot refuses a root that is none before anything is asked or looked for
// in it.
func checkRoot(root string) error {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%w root %s: it is no directory; check the -C flag", caches.ErrInvalid, root)
	}
	if err != nil {
		return fmt.Errorf("root: %w; check the -C flag", err)
	}
	return nil
}

// prepare turns flags, environment and configuration into a request.
func prepare(ctx context.Context, command *cli.Command, options *runOptions) (executor.Request, *workshop, error) {
	none := executor.Request{}
	here, err := os.Getwd()
	if err != nil {
		return none, nil, fmt.Errorf("find the current directory: %w", err)
	}
	spec, err := readSpec(options.spec)
	if err != nil {
		return none, nil, err
	}
	shop, err := openForRun(command, absolute(here, cmp.Or(options.root, spec.Root)))
	if err != nil {
		return none, nil, err
	}
	if shop.sandbox, err = sandboxKind(options.sandbox, shop.settings); err != nil {
		return none, nil, err
	}
	if err := shop.choosePreset(options); err != nil {
		return none, nil, err
	}
	if err := options.fill(&spec, wholeCommand(os.Args, command.Args().Slice()), shop.settings); err != nil {
		return none, nil, err
	}
	options.fallBack(&spec)
	spec.Root = absolute(here, spec.Root)
	if err := checkRoot(spec.Root); err != nil {
		return none, nil, err
	}
	if err := shop.applyPreset(ctx, options, &spec); err != nil {
		return none, nil, err
	}
	wanted, err := spec.Validate(here)
	if err != nil {
		return none, nil, err
	}
	home, _ := os.UserHomeDir()
	if err := wanted.RefuseSecrets(home, func(path string) (string, error) { return resolvePayload(ctx, path) }); err != nil {
		return none, nil, err
	}
	wanted.NoInputs = options.ownFiles(here)
	policy, err := resultPolicy(options, shop.settings)
	if err != nil {
		return none, nil, err
	}
	request := executor.Request{Action: wanted, Results: policy, WithKey: options.json != "", OutputTo: options.outputTo}
	if request.Keep, err = keepPolicy(options.keep); err != nil {
		return none, nil, err
	}
	request.Streams = streamsFor(policy, options.json)
	if to := request.OutputTo; to != "" && to != executor.OutputNone {
		request.OutputTo = absolute(here, to)
	}
	return request, shop, nil
}

// wholeCommand gives the command its own "--" back: the parser takes the first
// one of the line for itself, also when it comes right behind the command.
func wholeCommand(line, parsed []string) []string {
	start := len(line) - len(parsed)
	if len(parsed) == 0 || start < 1 || line[start] == parsed[0] {
		return parsed
	}
	return line[start-1:]
}

func absolute(here, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(here, path)
}

// resultPolicy reads --results, LARDER_RESULTS or the configuration.
func resultPolicy(options *runOptions, configured settings) (executor.ResultPolicy, error) {
	text, source := options.results, "--results"
	if options.noCache {
		text = "off"
	}
	for _, choice := range [][2]string{
		{os.Getenv("LARDER_RESULTS"), "LARDER_RESULTS"}, {configured.Results, "results in larder.toml"}, {"read-write", "default"},
	} {
		if text == "" {
			text, source = choice[0], choice[1]
		}
	}
	policy, err := executor.ParseResultPolicy(text)
	if err != nil {
		return policy, fmt.Errorf("%s: %w", source, err)
	}
	return policy, nil
}

// keepPolicy reads --keep-sandbox.
func keepPolicy(text string) (executor.Keep, error) {
	switch keep := executor.Keep(text); keep {
	case "":
		return executor.KeepNever, nil
	case executor.KeepNever, executor.KeepOnFailure, executor.KeepAlways:
		return keep, nil
	}
	return "", fmt.Errorf("--keep-sandbox: %w value %q: use never, on-failure or always", caches.ErrInvalid, text)
}

// streamsFor decides who gets standard input and output. An interactive tool
// gets the terminal itself, which it can only when the result is not kept.
func streamsFor(policy executor.ResultPolicy, record string) executor.Streams {
	streams := executor.Streams{Input: executor.ClassifyInput(os.Stdin), Stdout: os.Stdout, Stderr: os.Stderr}
	if record == "-" {
		streams.Stdout = os.Stderr
	}
	off := policy == executor.ResultPolicy{}
	if off && record != "-" && streams.Input.Kind == executor.InputTerminal && isTerminal(os.Stdout) && isTerminal(os.Stderr) {
		streams.Direct = os.Stdout
	}
	return streams
}

// brokenOff says that what failed was broken off by a signal, as while the inputs
// are read, when there is no command yet that could end by it.
func brokenOff(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("interrupted: %w", err)
}

// exitCodeOf gives the exit code of the process: the command's own, or one that
// says what larder could not do.
func exitCodeOf(result *action.Result, err error) int {
	var notStarted *sandbox.ExecError
	switch {
	case err == nil:
		return result.ExitCode
	case errors.As(err, &notStarted) && notStarted.NotFound():
		return codeNotFound
	case errors.As(err, &notStarted):
		return codeNotExecutable
	}
	return codeFailed
}

// checkRecord refuses a place for the record where none can be, before the command
// has taken its time. It writes nothing: a record that is there stays until the next.
func checkRecord(to string) error {
	if to == "" || to == "-" {
		return nil
	}
	info, err := os.Stat(to)
	if err == nil && info.IsDir() {
		return fmt.Errorf("--json %s: it is a folder; name a file", to)
	}
	if _, err := os.Stat(filepath.Dir(to)); err != nil {
		return fmt.Errorf("--json %s: %w; make its folder first", to, err)
	}
	return nil
}

// writeRecord writes the result record where --json says.
func writeRecord(to string, result *action.Result) error {
	if to == "" {
		return nil
	}
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write the result record: %w", err)
	}
	data = append(data, '\n')
	if to == "-" {
		_, err = os.Stdout.Write(data)
	} else {
		err = os.WriteFile(to, data, 0o666)
	}
	if err != nil {
		return fmt.Errorf("write the result record: %w", err)
	}
	return nil
}

func reportWarnings(result *action.Result) {
	for _, warning := range warningsOf(result) {
		tell("warning: %s", warning)
	}
}

// warningsOf is all that a result warns of.
func warningsOf(result *action.Result) (all []string) {
	all = append(all, result.Warnings...)
	for _, cache := range result.Caches {
		for _, violation := range cache.Violations {
			all = append(all, fmt.Sprintf("cache %s: %s %s", cache.Name, console.Clean(violation.Path), violationText(violation.Kind)))
		}
		if n := len(cache.Conflicts); n > 0 {
			all = append(all, fmt.Sprintf("cache %s: %s %s", cache.Name, console.Clean(cache.Conflicts[0]), conflictText(cache.Outcome)))
			if n > 1 {
				all = append(all, fmt.Sprintf("cache %s: the same with %d more; --json names them", cache.Name, n-1))
			}
		}
	}
	return all
}

// violationText says what a violation was and what became of it. Special files
// are refused by caches of both modes.
func violationText(kind string) string {
	switch kind {
	case "special":
		return "is a FIFO, a socket or a device, which no cache takes; it was left out"
	case "unit":
		return "was not added: a unit is added whole or not at all, and this one was there before or had something in it that was refused"
	case "mode":
		return "got other permissions, which an append-only cache does not allow; it keeps what it had"
	}
	return "was " + kind + ", which an append-only cache does not allow; it keeps what it had"
}

// conflictText says who won. Only a mutable cache is ever replaced.
func conflictText(outcome string) string {
	if outcome == string(named.Replaced) {
		return "was changed by another run meanwhile; this run's whole cache replaced that one's"
	}
	return "was added by another run first, with other content, which stays"
}

// notPublished is what else there is to say after an interruption.
func notPublished(wanted *action.Action) string {
	if len(wanted.Caches) == 0 {
		return ""
	}
	return "; its caches were not published"
}

// reportEnd says what happened when it was not simply the command's own end.
func reportEnd(wanted *action.Action, result *action.Result, err error) {
	switch {
	case err != nil:
		complain(err)
	case result.Status == action.StatusTimeout:
		complain(fmt.Errorf("%s ran longer than %s and was ended; give it more time with --timeout", wanted.Argv[0], wanted.Timeout))
	case result.Status == action.StatusLimit:
		complain(errors.New(limitText(wanted, result.LimitsHit)))
	case result.Status == action.StatusKilled && result.Signal != 0:
		complain(fmt.Errorf("%s was ended by signal %d (%s)%s", wanted.Argv[0], result.Signal, syscall.Signal(result.Signal), notPublished(wanted)))
	case result.Status == action.StatusKilled:
		complain(fmt.Errorf("%s was interrupted%s", wanted.Argv[0], notPublished(wanted)))
	case result.Status == action.StatusFailed && len(result.Outputs) > 0:
		complain(fmt.Errorf("%s failed, so its outputs were not written back%s", wanted.Argv[0], whereOutputsAre(result.Outputs)))
	}
}

// whereOutputsAre says how to look at the first few outputs that the store holds.
func whereOutputsAre(outputs []action.Output) string {
	const most = 3
	var text strings.Builder
	for _, output := range outputs[:min(len(outputs), most)] {
		switch output.Kind {
		case action.KindFile:
			fmt.Fprintf(&text, "; larder digest cat %s shows %s", output.Digest, output.Path)
		case action.KindDirectory:
			fmt.Fprintf(&text, "; larder digest ls %s shows %s", output.Digest, output.Path)
		}
	}
	return text.String()
}
