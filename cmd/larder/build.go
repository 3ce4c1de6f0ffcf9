package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/executor/plan"
	"larder/executor/plan/progress"
)

// buildOptions are the flags of build; of runOptions those that both have.
type buildOptions struct {
	runOptions
	jobs      int
	keepGoing bool
	report    string
}

func buildCommand() *cli.Command {
	o := &buildOptions{}
	return &cli.Command{
		Name: "build", Usage: "run a graph of actions", ArgsUsage: "PLAN.json [TARGET...]",
		Description: "PLAN.json (-: standard input) lists actions, each with what larder run --spec takes, and with the\n" +
			"actions whose outputs it works on; see docs/using.md. TARGETs are names of actions; without any, the\n" +
			"targets of the plan, or all actions. Outputs of targets are written back under their root, others stay in\n" +
			"the store.\n\n" +
			"The exit code is 0, 1 when an action failed, 125 when larder could not do one or the plan is wrong, and\n" +
			"128+N after signal N.",
		Flags: []cli.Flag{
			textFlag("root", &o.root, "host `DIR` that roots in the plan are relative to (default: the current directory)", "C"),
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Destination: &o.jobs, HideDefault: true, Usage: "most actions at one time, `N` (default: the number of processors)", Action: someJobs},
			&cli.BoolFlag{Name: "keep-going", Aliases: []string{"k"}, Destination: &o.keepGoing, Usage: "after a failure, run all that does not need what failed"},
			textFlag("json", &o.json, "write a record of each action to `FILE` as it ends, one a line (-: standard output)"),
			textFlag("trace", &o.trace, "write what took how long to `FILE`, as Chrome trace events"),
			textFlag("report", &o.report, "write a page for a browser to `FILE`: when what ran, and why"),
			known(&cli.StringFlag{Name: "output-to", Destination: &o.outputTo, Usage: "write outputs to `DIR` instead; none keeps only their digests", Action: notEmpty("output-to")}),
			textFlag("results", &o.results, "`USE` of kept results: off, read, write or read-write (the default)"),
			&cli.BoolFlag{Name: "no-cache", Destination: &o.noCache, Usage: "the same as --results off"},
			&cli.BoolFlag{Name: "explain", Destination: &o.explain, Usage: "say of each action that ran what differs from its last run"},
			textFlag("sandbox", &o.sandbox, "`KIND` of sandbox: namespaces, directory or auto (the default)"),
		},
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return build(ctx, command, o)
		},
	}
}

// files are the files that larder writes for the user while it builds.
func (o *buildOptions) files(here string) []string {
	files := o.ownFiles(here)
	if o.report != "" {
		files = append(files, absolute(here, o.report))
	}
	return files
}

func someJobs(_ context.Context, _ *cli.Command, n int) error {
	if n < 1 {
		return fmt.Errorf("--jobs %d: give a number of actions above zero", n)
	}
	return nil
}

// build is larder build, from flags to exit code.
func build(ctx context.Context, command *cli.Command, o *buildOptions) error {
	if err := needArgs(command, 1, -1); err != nil {
		return err
	}
	b, err := newBuilding(ctx, command, o)
	if err != nil {
		return err
	}
	outliveReaders() // now: an action may be answered, and printed, at once
	ctx, passed, stop := relaySignals(ctx)
	defer stop()
	go b.signals.relay(ctx, passed)
	begin := time.Now()
	work := b.plan()
	b.display.begin()
	reports := work.All(ctx)
	b.display.end()
	b.runner.Close()
	b.shop.saveIndexes()
	b.remember(reports)
	if b.leaves {
		defer b.shop.leaveWork()
	}
	if err := errors.Join(b.close(), b.page.write(b, reports, begin), b.display.lost); err != nil {
		complain(err)
		_ = b.sum(reports, time.Since(begin))
		return exitCode(codeFailed)
	}
	return b.sum(reports, time.Since(begin))
}

// building is a build under way. Its methods are called by one goroutine, except
// for request.
type building struct {
	shop    *workshop
	runner  *local.Runner
	options *buildOptions
	policy  executor.ResultPolicy
	graph   *plan.Graph
	order   []int
	wanted  plan.Wanted // by node: its outputs are written back
	base    string      // absolute
	line    *executor.Executor
	signals *fanOut
	spools  []spool // by node
	tracks  []*track
	trace   *tracer
	page    *page
	records *records
	history plan.History
	past    string             // its file
	output  func(i int) string // what a node has made
	reasons []string           // by node, why it ran
	display *display
	count   int  // nodes that have ended
	leaves  bool // there is work for later
}

// newBuilding reads the plan and opens the store.
func newBuilding(ctx context.Context, command *cli.Command, o *buildOptions) (*building, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current directory: %w", err)
	}
	b := &building{options: o, base: absolute(here, cmp.Or(o.root, here)), signals: newFanOut()}
	if err := checkRoot(b.base); err != nil {
		return nil, err
	}
	args := command.Args().Slice()
	if b.graph, err = readPlan(args[0], b.base); err != nil {
		return nil, err
	}
	if b.order, err = b.graph.Targets(args[1:]...); err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	if b.shop, err = openWorkshop(command, b.base); err != nil {
		return nil, err
	}
	if b.shop.sandbox, err = sandboxKind(o.sandbox, b.shop.settings); err != nil {
		return nil, err
	}
	if b.policy, err = resultPolicy(&o.runOptions, b.shop.settings); err != nil {
		return nil, err
	}
	if o.outputTo != "" && o.outputTo != executor.OutputNone {
		o.outputTo = absolute(here, o.outputTo)
	}
	b.shop.indexes = digest.NewIndexes()
	b.shop.ahead, b.shop.pathFresh = o.atOnce(), time.Second
	b.runner = b.shop.runner()
	b.line = b.shop.executor(b.runner)
	nodes := len(b.graph.Nodes)
	b.spools, b.tracks, b.reasons = make([]spool, nodes), make([]*track, nodes), make([]string, nodes)
	if err := b.prepare(ctx, here, args[1:]); err != nil {
		return nil, err
	}
	return b, b.open(absolute(here, args[0]))
}

// open begins the files that are written while the build goes on, and reads what
// is known of builds before.
func (b *building) open(planFile string) (err error) {
	b.past = b.shop.historyFile(planFile)
	text, _ := os.ReadFile(b.past) // it is advice
	b.history = plan.ParseHistory(text)
	if b.records, err = newRecords(b.options.json); err != nil {
		return err
	}
	if b.page, err = newPage(b.options.report, planFile, len(b.graph.Nodes)); err != nil {
		return err
	}
	b.trace, err = newTracer(b.options.trace)
	return err
}

func (b *building) close() error { return errors.Join(b.records.close(), b.trace.close()) }

// remember keeps what the build has taught for the next one. When that cannot be
// written the next one knows less.
func (b *building) remember(reports []plan.Report) {
	if text, err := b.history.After(b.graph, reports); err == nil {
		_ = b.shop.layout.WriteFile(b.past, text, 0o644)
	}
}

// historyFile is where the history of a plan is.
func (w *workshop) historyFile(planFile string) string {
	name := digest.Of(digest.BLAKE3, []byte(planFile)).Hash()[:32]
	return filepath.Join(w.layout.Index(), "plan-"+name+w.layout.Owner())
}

// readPlan reads and checks a plan. What is wrong is one line each, with its place.
func readPlan(path, base string) (*plan.Graph, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(os.Stdin)
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	parsed, err := plan.Parse(text)
	if err != nil {
		return nil, planError(path, err)
	}
	graph, err := parsed.Graph(base)
	if err != nil {
		return nil, planError(path, err)
	}
	return graph, nil
}

// planError puts the name of the plan before each line and column.
func planError(path string, err error) error {
	var problems plan.Problems
	if !errors.As(err, &problems) {
		return fmt.Errorf("%s: %w", path, err)
	}
	const most = 20
	lines := []error{plan.ErrPlan}
	for i, one := range problems {
		if i == most {
			lines = append(lines, fmt.Errorf("and %d more", len(problems)-most))
			break
		}
		lines = append(lines, fmt.Errorf("%s:%w", path, one))
	}
	return errors.Join(lines...)
}

// prepare checks what the plan asks of the host before anything runs, and finds
// out whose outputs are wanted.
func (b *building) prepare(ctx context.Context, here string, targets []string) error {
	home, _ := os.UserHomeDir()
	secrets := action.NewSecrets(home, func(path string) (string, error) { return resolvePayload(ctx, path) })
	roots := map[string]error{}
	b.wanted = b.graph.Wanted(targets...)
	b.graph.HideOutputs(b.options.files(here)...)
	for _, i := range b.order {
		node := &b.graph.Nodes[i]
		if node.Action == nil {
			continue
		}
		if _, known := roots[node.Action.Root]; !known {
			roots[node.Action.Root] = checkRoot(node.Action.Root)
		}
		err := roots[node.Action.Root]
		if err == nil {
			err = secrets.Refuse(node.Action)
		}
		if err != nil {
			return fmt.Errorf("action %q: %w", node.Plan.Name, err)
		}
	}
	to := b.options.outputTo
	if to == executor.OutputNone {
		return nil
	}
	return b.graph.Clash(b.wanted, to)
}

// atOnce is how many actions run at one time.
func (o *buildOptions) atOnce() int { return cmp.Or(o.jobs, runtime.NumCPU()) }

// plan is the build as the scheduler takes it.
func (b *building) plan() *plan.Build {
	limits := plan.Limits{Jobs: b.options.atOnce(), Memory: memoryOfMachine()}
	work := &plan.Build{
		Graph: b.graph, Order: b.order, Limits: limits, KeepGoing: b.options.keepGoing, Stop: b.signals.stop,
		Trees: plan.Trees{Function: b.shop.blobs.Function(), Source: b.shop.blobs, Sink: digest.Sink(b.shop.blobs.Add)},
		Took:  b.history.Took(b.graph), Request: b.request, Run: b.line.Run, Deliver: b.deliver, Begin: b.begin, Done: b.done,
	}
	b.output = work.Output
	b.display = newDisplay(os.Stderr, progress.New(b.graph, b.order, work.Took, limits.Jobs))
	b.display.name, b.display.ended = b.name, b.interrupted
	return work
}

// deliver writes what a target without an action has merged.
func (b *building) deliver(ctx context.Context, i int, root digest.Digest) error {
	to := cmp.Or(b.options.outputTo, b.base)
	if !b.wanted[i] || to == executor.OutputNone {
		return nil
	}
	if err := b.shop.blobs.Export(ctx, digest.Entry{Kind: digest.KindDirectory, Digest: root}, to); err != nil {
		return fmt.Errorf("hand over what action %q has merged: %w", b.graph.Nodes[i].Plan.Name, err)
	}
	return nil
}

func (b *building) name(i int) string { return b.graph.Nodes[i].Plan.Name }

func (b *building) begin(i int) {
	b.display.progress.Begin(i, time.Now())
	b.tracks[i] = b.trace.begin(b.name(i))
}

// request is what this run of an action is to be like.
func (b *building) request(i int) executor.Request {
	name := b.name(i)
	spool := &b.spools[i]
	request := executor.Request{
		Results: b.policy, WithKey: b.options.json != "", OutputTo: executor.OutputNone, Signals: b.signals.add(i),
		Streams: executor.Streams{Stdout: &spool.stdout, Stderr: &spool.stderr},
		Say:     func(text string) { b.display.print(func() { b.display.say(plainly, "larder: %s: %s", name, text) }) },
	}
	if track := b.tracks[i]; track != nil {
		request.Observe = track.observe
	}
	if b.options.json == "-" {
		request.Streams.Stdout = &spool.stderr
	}
	if b.wanted[i] {
		request.OutputTo = b.options.outputTo
	}
	return request
}

// interrupted is the signal that ended the build, or 0.
func (b *building) interrupted() syscall.Signal { return b.signals.first() }
