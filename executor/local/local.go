// Package local runs actions on this machine: it checks the caches out, stacks
// the input tree, starts the sandbox, captures what came out of it and
// publishes. It is the only place where sandbox, layers and caches meet.
//
// A [Runner] may be used by many goroutines, and any number of processes may
// run actions over one store. A crash at any point leaves a run folder that the
// next run removes; nothing half-made has a name that somebody reads.
package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/journal"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/sandbox"
)

// Config is what a Runner is made of.
type Config struct {
	Layout caches.Layout
	Blobs  *cas.Store
	Named  *named.Store
	// Journal is told of runs that begin. It may be nil.
	Journal *journal.Journal
	// Payloads has the local copies of payloads; CopyPayload starts a process that
	// makes the wanted copy with this id and goes on after this one; nil is none.
	Payloads    *payload.Store
	CopyPayload func(id string) error
	// LookPayload takes the state of the directory that a host path leads to; nil is
	// [payload.Look]. What is on another machine may answer late or never, so it
	// has to return when its context ends.
	LookPayload func(ctx context.Context, path string) (payload.Source, error)
	// Path, Home and Env describe the caller: where its programs are. Env may be nil.
	Path []string
	Home string
	Env  func(name string) string
	// PathFresh is how long a program that was found along Path is taken to be the
	// one that its name means; 0 looks along Path for each action.
	PathFresh time.Duration
	// ProgramIndex is the file of the stat index for programs and packages.
	ProgramIndex string
	// Indexes keeps that index for more actions; nil does not.
	Indexes *digest.Indexes
	// Grace is how long a process has between SIGTERM and SIGKILL.
	Grace time.Duration
	// Program is the file of this program, for scripts that start it again.
	Program string
	// Ahead is how many sandboxes of a kind may wait for actions to come, for a
	// process that runs many; see [sandbox.Pool] and [Runner.Close]. It takes Indexes:
	// the state of the host that is part of a key is then older than any of them.
	Ahead int
	// Final says that the process ends soon after one action. What an action with no
	// files of its own leaves to be taken down, if it may, goes with the process; see
	// [sandbox.Config].
	Final bool
	// Untended says that no other process looks after the store, so that
	// publishing has to, at the cost of waiting for it.
	Untended bool
	// Sandbox is the kind of sandbox.
	Sandbox Kind
	// Copy forgoes overlay mounts, as on file systems that cannot have them.
	Copy bool
	// Spares are the folders in one of which a run makes a store of its own when
	// the store's disk is full or broken, the better ones first.
	Spares []string
	// Broken says why the store cannot be used at all; nil when it can.
	Broken error
}

// Runner runs actions in sandboxes on this machine.
type Runner struct {
	config Config
	begun  atomic.Pointer[early] // by Begin, until its action is described
	host   hostSeen
	ready  ready
	// programs is nil without PathFresh.
	programs *programs
}

// New returns a runner.
func New(config Config) *Runner {
	if config.Env == nil {
		config.Env = func(string) string { return "" }
	}
	r := &Runner{config: config}
	if config.PathFresh > 0 {
		r.programs = &programs{fresh: config.PathFresh}
	}
	if config.Indexes != nil {
		r.ready.most = config.Ahead
	}
	return r
}

// Close ends the sandboxes that wait for actions, and returns when none of their
// processes is left. What runs goes on.
func (r *Runner) Close() { r.ready.close() }

// ErrStrict says that an action with --strict broke the rules of an append-only
// cache.
var ErrStrict = errors.New("append-only rules were broken")

// ErrInterrupted says that larder was asked to end before there was a command.
var ErrInterrupted = errors.New("interrupted")

// Execute takes a job from checkout to publish. Where the file system of the
// store cannot carry an overlay, it starts again with private copies and says
// so; where its disk is full or broken, it starts again in a spare store; where
// there are no namespaces, it starts again in a directory, if it may. The sandbox
// had not started anything by then.
func (r *Runner) Execute(ctx context.Context, job executor.Job) (*executor.Outcome, error) {
	begun := sync.OnceFunc(func() {
		r.config.Journal.Log("run-begun", "program", job.Action.Argv[0], "root", job.Action.Root)
	})
	// It is written down while the command runs, unless it may have to wait before.
	defer begun()
	if len(job.Action.Caches) > 0 {
		begun()
	}
	// One feed for all attempts: what it has read of a pipe is gone from there.
	input, err := newFeed(job.Streams.Input)
	if err != nil {
		return nil, err
	}
	defer input.close()
	t := &try{runner: r, job: job, feed: input, place: r.store(), begun: begun, isolation: job.Surroundings.Handle.(scene).isolation}
	err = r.check(job)
	var outcome *executor.Outcome
	if err == nil {
		outcome, err = t.anyWay(ctx)
	}
	var refused *refusal
	if !errors.As(err, &refused) {
		return outcome, err
	}
	if t.place, err = r.away(refused.error); err != nil {
		return outcome, err
	}
	outcome, err = t.anyWay(ctx)
	if outcome == nil {
		t.place.close()
	}
	return outcome, err
}

// try is a job with the place where it is tried.
type try struct {
	runner *Runner
	job    executor.Job
	feed   feed
	place  place
	begun  func() // writes down that the run has begun, once
	isolation
}

// anyWay takes namespaces, or else a directory.
func (t *try) anyWay(ctx context.Context) (*executor.Outcome, error) {
	if t.kind == sandbox.Directory {
		return t.attempt(ctx, copies)
	}
	outcome, err := t.layered(ctx)
	other, isBetter := t.runner.fallBack(t.job.Action, err)
	if !isBetter {
		return outcome, err
	}
	t.isolation = other
	outcome, err = t.attempt(ctx, copies)
	if outcome != nil {
		outcome.Properties = other.properties()
	}
	return outcome, err
}

// layered makes private layers by overlays, or else by copies.
func (t *try) layered(ctx context.Context) (*executor.Outcome, error) {
	if t.runner.config.Copy {
		return t.attempt(ctx, copies)
	}
	outcome, err := t.attempt(ctx, overlays)
	var setup *sandbox.SetupError
	if !errors.As(err, &setup) || !setup.Overlay() || caches.IsDiskFault(err) {
		return outcome, err
	}
	outcome, err = t.attempt(ctx, copies)
	if outcome != nil && outcome.Result != nil && t.place.spare == nil {
		outcome.Result.Warnings = append(outcome.Result.Warnings,
			fmt.Sprintf("the store at %s cannot carry overlay mounts (%v): inputs and caches were copied, which takes time with their size; put the store on ext4, xfs, btrfs or tmpfs", t.place.layout.Root(), setup.Errno))
	}
	return outcome, err
}

// layering is how private layers are made.
type layering int

const (
	overlays layering = iota
	copies
)

// attempt runs the steps once, in one way of making private layers.
func (t *try) attempt(ctx context.Context, way layering) (outcome *executor.Outcome, err error) {
	folder, err := t.newRun()
	if err != nil {
		return nil, refuse(fmt.Errorf("make a folder for the run: %w", err))
	}
	a := &attempt{
		runner: t.runner, job: t.job, begun: t.begun, place: t.place, feed: t.feed, folder: folder, copied: way == copies, isolation: t.isolation,
		uncached: t.place.spare != nil, faults: t.place.faults(), result: action.NewResult(),
	}
	a.result.Sandbox = t.name()
	t.tell(a)
	defer func() { a.close(outcome) }()
	if err := a.checkOut(ctx); err != nil {
		return nil, refuse(err)
	}
	err = a.run(ctx)
	a.keepSandbox(ctx, err)
	if err == nil {
		err = a.capture(ctx)
	}
	if err != nil {
		a.discard()
		return a.outcome(), err
	}
	err = a.publish(ctx)
	return a.outcome(), err
}

// newRun makes the folder of the run. The path of a directory sandbox leaks into
// what tools write, so it is the same for all runs that have no other beside them.
func (t *try) newRun() (*layers.Run, error) {
	if t.kind == sandbox.Directory {
		return layers.NewSlot(t.place.layout)
	}
	return layers.TakeRun(t.place.layout)
}

// attempt is one job on its way through the sandbox.
type attempt struct {
	runner   *Runner
	job      executor.Job
	place    place
	uncached bool // nothing is written to the store
	faults   []executor.Fault
	folder   *layers.Run
	isolation
	copied    bool
	work      workspace
	checkouts []checkout
	views     []view // of the payloads
	logs      logs
	feed      feed // standard input, which outlives the attempt
	input     executor.InputUse
	outputs   []digest.Entry // one for each declared output that was made
	config    sandbox.Config // once it is made
	status    sandbox.Status
	begun     func() // see try
	quiet     bool   // it ran, and no process of it is left
	isLinked  bool   // private layers may have links in a kept sandbox
	// interrupted is set when larder was asked to end the command.
	interrupted atomic.Bool
	result      *action.Result
}

// close gives back what the attempt holds. What fails then is told with the rest
// of the outcome, which may be nil.
func (a *attempt) close(outcome *executor.Outcome) {
	for _, c := range a.checkouts {
		c.Close()
	}
	for _, v := range a.views {
		v.Close()
	}
	a.logs.close()
	if a.quiet {
		a.folder.Park()
	}
	err := a.folder.Close()
	_, sweepErr := layers.Sweep(a.runner.config.Layout)
	if err = errors.Join(err, sweepErr); err != nil && !a.uncached {
		a.trouble("a folder of a run was not removed; the next run tries again", err)
	}
	if outcome != nil {
		outcome.Faults = a.faults
	}
}

func (a *attempt) outcome() *executor.Outcome {
	outcome := &executor.Outcome{
		Result: a.result, Stdout: a.logs.stdout.digest, Stderr: a.logs.stderr.digest,
		Input: a.input, Outputs: a.outputs,
	}
	if a.place.spare != nil {
		outcome.Away, outcome.Release = a.place.blobs, a.place.close
	}
	return outcome
}

// step times work as one step of the path.
func (a *attempt) step(name action.Step, work func() error) error {
	start := time.Now()
	err := work()
	a.job.Emit(executor.Event{Step: name, Start: start, Duration: time.Since(start)})
	return err
}

func (a *attempt) warn(format string, args ...any) {
	a.result.Warnings = append(a.result.Warnings, fmt.Sprintf(format, args...))
}

// trouble notes what could not be done for the store's sake; all of that is one
// warning. What is no fault of a disk is a warning of its own.
func (a *attempt) trouble(what string, err error) {
	if caches.IsFault(err) {
		a.faults = append(a.faults, executor.Fault{What: what, Err: err})
		return
	}
	a.warn("%s: %s", what, executor.OneLine(err))
}

// workspace is the private view of the input tree.
type workspace struct {
	tree  layers.Stack // the input tree; empty when there are no inputs
	upper string       // what the process wrote; with copies, everything
	work  string
}

// stack is the merged view of the workspace after the run.
func (a *attempt) stack() layers.Stack {
	private := layers.Layer{ID: "private", Path: a.work.upper}
	if a.copied || len(a.work.tree) == 0 {
		return layers.Stack{private}
	}
	return append(slices.Clone(a.work.tree), private)
}
