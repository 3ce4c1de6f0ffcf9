// Package executor takes an action through its whole path:
//
//	scan, lookup, checkout, setup_sandbox, run, capture, publish
//
// The first two steps and what follows an answer (keep it, hand its outputs
// over) are [Executor.Run], the same for every way of running. The steps between
// belong to a [Runner]: executor/local runs them on this machine. Each step
// emits one [Event] when it has ended, in this order; timings, traces and
// progress displays are readers of the events.
//
// An Executor is safe for use by many goroutines.
package executor

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"larder/caches"
	"larder/caches/results"
	"larder/digest"
	"larder/executor/action"
)

// Event is the end of one step.
type Event struct {
	Step     action.Step
	Start    time.Time
	Duration time.Duration
	Bytes    int64 // what the step moved, where that means something
}

// Runner runs an action whose answer is not known.
type Runner interface {
	// Describe finds what the action will see of the machine, without running
	// anything.
	Describe(ctx context.Context, a *action.Action) (Surroundings, error)
	// Execute takes the steps from checkout to publish.
	Execute(ctx context.Context, job Job) (*Outcome, error)
}

// Results keeps answers; a lookup gives nil for an answer that is not there or
// cannot be trusted, and then says why.
type Results interface {
	Lookup(ctx context.Context, key digest.Digest) (*results.Record, results.Miss, error)
	Record(ctx context.Context, key digest.Digest, record *results.Record) error
}

// Blobs hands kept bytes over.
type Blobs interface {
	CopyTo(w io.Writer, d digest.Digest) error
	Export(ctx context.Context, entry digest.Entry, dest string) error
}

// Surroundings is what an action will see of the machine. Only the runner that
// made it reads Handle.
type Surroundings struct {
	// Properties takes the state of all that a result depends on. It may take
	// long, and may be called while the action runs.
	Properties func(ctx context.Context) ([]action.Property, error)
	// Visible lists host paths that the action sees as tools. Where they lie
	// below the root they are no inputs.
	Visible []string
	// Sandbox is the kind of sandbox, as the result record names it.
	Sandbox string
	// Expect, which may be nil, says that the action will be run for certain, so
	// that the runner can begin with what takes time. Whoever calls it has the
	// runner execute the action, or calls Drop.
	Expect func()
	// Drop, which may be nil, gives up what was begun. It may always be called.
	Drop   func()
	Handle any
}

// Job is an action on its way through a runner.
type Job struct {
	Action       *action.Action
	Instead      []string // see [Request]
	Keep         Keep
	Inputs       *digest.Tree
	Surroundings Surroundings
	Streams      Streams
	Signals      <-chan os.Signal
	Emit         func(Event)
	// Say tells the user at once what the action waits for. It may be called from
	// any goroutine.
	Say func(text string)
	// Broken, when set, says why the store cannot be relied on: the job is to be
	// done without it.
	Broken error
}

// Outcome is what a runner brings back.
type Outcome struct {
	Result  *action.Result
	Stdout  digest.Digest
	Stderr  digest.Digest
	Input   InputUse
	Outputs []digest.Entry // as in Result.Outputs, with their paths
	Faults  []Fault        // what the store could not do
	// Properties are what the action saw of the machine beyond what was described:
	// its answer is one to the key that holds them too.
	Properties []action.Property
	// Away, when set, has the outputs: the store could not take them, so the
	// answer cannot be kept. It is valid until Release.
	Away    Blobs
	Release func() // ends Away; nil when there is nothing to end
}

// Request is an action with all that concerns only this run of it.
type Request struct {
	Action  *action.Action
	Streams Streams
	Results ResultPolicy
	// WithKey wants the key in the result though Results makes no use of it: to
	// build it means to look at all that the result depends on.
	WithKey bool
	// Instead, when set, runs in the place of the command, in the sandbox that was
	// made for it. Results must be neither read nor written then.
	Instead []string
	// Combine, when set, makes the input tree of what was found on the host, before
	// the trees of the action are put into it. The trees of what it adds are in the
	// store; directories that it makes need not be, see [digest.Tree.Over].
	Combine  func(ctx context.Context, host *digest.Tree) (*digest.Tree, error)
	Keep     Keep
	OutputTo string // host directory for outputs; OutputNone keeps only digests
	Signals  <-chan os.Signal
	Observe  func(Event)  // may be nil
	Say      func(string) // may be nil; see [Job]
	// Missed, which may be nil, is told before the command begins why it has to run.
	Missed func(Missed)
}

// Missed is why an action has to run.
type Missed struct {
	results.Miss
	// Key is zero when kept results were not asked for.
	Key action.Key
	// Inputs is the input tree, whose directories may not be in the store yet.
	Inputs *digest.Tree
}

// Keep says after which runs the sandbox is kept, for a look at what the command
// saw and wrote.
type Keep string

// When a sandbox is kept; the empty Keep is KeepNever.
const (
	KeepNever     Keep = "never"
	KeepOnFailure Keep = "on-failure" // whatever is not StatusOK
	KeepAlways    Keep = "always"
)

// OutputNone as the place of outputs leaves them in the store.
const OutputNone = "none"

// ResultPolicy says which use is made of kept results.
type ResultPolicy struct{ Read, Write bool }

// ParseResultPolicy reads off, read, write or read-write.
func ParseResultPolicy(text string) (ResultPolicy, error) {
	switch text {
	case "off":
		return ResultPolicy{}, nil
	case "read":
		return ResultPolicy{Read: true}, nil
	case "write":
		return ResultPolicy{Write: true}, nil
	case "read-write":
		return ResultPolicy{Read: true, Write: true}, nil
	}
	return ResultPolicy{}, fmt.Errorf("%w results policy %q: use off, read, write or read-write", caches.ErrInvalid, text)
}

// Executor runs actions.
type Executor struct {
	inputs  Inputs
	runner  Runner
	results Results
	blobs   Blobs
}

// New returns an executor from its parts.
func New(inputs Inputs, runner Runner, kept Results, blobs Blobs) *Executor {
	return &Executor{inputs, runner, kept, blobs}
}

// Run takes the action of the request through its whole path. The result is
// present together with an error when larder could not do all of it; its status
// then says "error".
func (e *Executor) Run(ctx context.Context, request Request) (*action.Result, error) {
	run := e.begin(request)
	result, err := run.answer(ctx)
	if err != nil {
		result.Status = action.StatusError
	}
	run.finish(result)
	return result, err
}

// Identify finds the key that a request has now, and its input tree, without
// running or keeping anything.
func (e *Executor) Identify(ctx context.Context, request Request) (action.Key, *digest.Tree, error) {
	request.Results = ResultPolicy{Read: true} // so that the runner begins nothing yet
	run := e.begin(request)
	surroundings, inputs, err := run.scan(ctx)
	if surroundings.Drop != nil {
		defer surroundings.Drop()
	}
	if err == nil {
		err = run.identify(ctx, surroundings)
	}
	return run.key, inputs, err
}

// answer is the path itself.
func (r *run) answer(ctx context.Context) (*action.Result, error) {
	surroundings, inputs, err := r.scan(ctx)
	if surroundings.Drop != nil {
		defer surroundings.Drop()
	}
	if err != nil {
		return r.failed(), err
	}
	if err := r.identify(ctx, surroundings); err != nil {
		return r.failed(), err
	}
	if result, err := r.replay(ctx); result != nil || err != nil {
		return result, err
	}
	r.expect(surroundings)
	r.tellMissed()
	observed, err := r.observe(ctx)
	if err != nil {
		return r.failed(), err
	}
	outcome, err := r.executor.runner.Execute(ctx, Job{
		Action: r.request.Action, Instead: r.request.Instead, Keep: r.request.Keep, Inputs: inputs, Surroundings: surroundings,
		Streams: r.request.Streams, Signals: r.request.Signals, Emit: r.emit, Say: r.say, Broken: r.broken,
	})
	defer outcome.release()
	result := r.partly(outcome)
	if err != nil {
		return result, err
	}
	if err := missingOutputs(r.request.Action, result); err != nil {
		return result, err
	}
	r.keep(ctx, outcome, observed)
	return result, r.deliver(ctx, result, outcome.Outputs)
}

func (o *Outcome) release() {
	if o != nil && o.Release != nil {
		o.Release()
	}
}
