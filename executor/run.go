package executor

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"larder/caches/results"
	"larder/digest"
	"larder/executor/action"
)

// run is one action on its way.
type run struct {
	executor     *Executor
	request      Request
	key          action.Key
	properties   []action.Property // that the key was made with
	keyed        chan error        // the key is being made beside the command
	beyond       []action.Property // [Outcome.Properties]
	surroundings Surroundings
	expected     bool      // the runner knows that it has to run
	unchanged    chan bool // the surroundings are looked at again beside the publish
	inputs       *digest.Tree
	began        time.Time
	timings      map[action.Step]float64
	warnings     []string // for the result, once there is one
	faults       []Fault
	blobs        Blobs // where the outputs are
	miss         results.Miss
	broken       error // why nothing should be asked of the store any more
}

func (e *Executor) begin(request Request) *run {
	for _, stream := range []*io.Writer{&request.Streams.Stdout, &request.Streams.Stderr} {
		if *stream == nil {
			*stream = io.Discard
		}
	}
	return &run{executor: e, request: request, began: time.Now(), timings: map[action.Step]float64{}, blobs: e.blobs}
}

func (r *run) emit(event Event) {
	if event.Step == action.StepRun && r.request.Results.Write {
		r.lookAgain()
	}
	r.timings[event.Step] += float64(event.Duration.Microseconds()) / 1000
	if r.request.Observe != nil {
		r.request.Observe(event)
	}
}

func (r *run) say(text string) {
	if r.request.Say != nil {
		r.request.Say(text)
	}
}

// step times work as one step.
func (r *run) step(name action.Step, work func() (bytes int64, err error)) error {
	start := time.Now()
	bytes, err := work()
	r.emit(Event{name, start, time.Since(start), bytes})
	return err
}

// scan looks at all that the key is made of: what the action will see of the
// machine, and its inputs.
func (r *run) scan(ctx context.Context) (seen Surroundings, inputs *digest.Tree, err error) {
	err = r.step(action.StepScan, func() (bytes int64, err error) {
		if seen, err = r.executor.runner.Describe(ctx, r.request.Action); err != nil {
			return 0, err
		}
		if !r.request.Results.Read {
			r.expect(seen)
		}
		r.inputs, err = r.executor.inputs.scan(ctx, r.request, seen.Visible)
		if err != nil {
			return 0, err
		}
		return r.inputs.Stats.HashedBytes, nil
	})
	return seen, r.inputs, err
}

// expect lets the runner begin, once.
func (r *run) expect(seen Surroundings) {
	if seen.Expect != nil && !r.expected {
		seen.Expect()
	}
	r.expected = true
}

// identify builds the key. Without any use of kept results it is made only for
// those who want it, beside the command.
func (r *run) identify(ctx context.Context, surroundings Surroundings) error {
	build := func() error {
		properties, err := surroundings.Properties(ctx)
		if err == nil {
			r.properties, r.key = properties, r.request.Action.Key(r.inputs.Root, properties)
		}
		return err
	}
	r.surroundings = surroundings
	if r.request.Results != (ResultPolicy{}) {
		return build()
	}
	if !r.request.WithKey {
		return nil
	}
	r.keyed = make(chan error, 1)
	go func() { r.keyed <- build() }()
	return nil
}

// awaitKey waits for a key that is made beside the command. One that could not
// be made is only missing from the record.
func (r *run) awaitKey(result *action.Result) {
	if r.keyed == nil {
		return
	}
	if err := <-r.keyed; err != nil {
		result.Warnings = append(result.Warnings, "the record has no key: "+err.Error())
	}
	r.keyed = nil
}

// failed is the result of a run that larder could not take further.
func (r *run) failed() *action.Result { return r.describe(r.blank()) }

// blank is a result of which nothing is known but the kind of sandbox.
func (r *run) blank() *action.Result {
	result := action.NewResult()
	if r.surroundings.Sandbox != "" {
		result.Sandbox = r.surroundings.Sandbox
	}
	return result
}

// partly is the result as far as the runner came.
func (r *run) partly(outcome *Outcome) *action.Result {
	if outcome == nil || outcome.Result == nil {
		return r.failed()
	}
	r.faults = append(r.faults, outcome.Faults...)
	r.beyond = outcome.Properties
	if outcome.Away != nil {
		r.blobs = outcome.Away
		forget(outcome.Result)
	}
	return r.describe(outcome.Result)
}

// forget takes out of a result what nobody can ask the store for: the outputs of
// a failure, which are not handed over, and the digest of them all.
func forget(result *action.Result) {
	result.OutputDigest = ""
	if result.Status != action.StatusOK {
		result.Outputs = []action.Output{}
	}
}

func (r *run) describe(result *action.Result) *action.Result {
	r.awaitKey(result)
	if len(r.beyond) > 0 {
		r.key = r.request.Action.Key(r.inputs.Root, slices.Concat(r.properties, r.beyond))
	}
	result.DigestFunction = r.executor.inputs.Function.String()
	if !r.key.Digest.IsZero() {
		result.Key = r.key.Digest.String()
	}
	if r.inputs != nil {
		result.InputDigest = r.inputs.Root.String()
	}
	return result
}

func (r *run) finish(result *action.Result) {
	r.emit(Event{action.StepTotal, r.began, time.Since(r.began), 0})
	for step, ms := range r.timings {
		result.TimingsMS[step] = ms
	}
	result.Warnings = append(result.Warnings, r.warnings...)
	if len(r.faults) > 0 {
		result.Warnings = append(result.Warnings, warningOf(r.faults))
	}
}

func (r *run) observe(ctx context.Context) ([]results.Observation, error) {
	var observed []results.Observation
	for _, path := range r.request.Action.Observe {
		observation, err := results.Observe(ctx, path, r.executor.inputs.Function)
		if err != nil {
			return nil, err
		}
		observed = append(observed, observation)
	}
	return observed, nil
}

// MissingOutput says that a command ended well without making what it declared.
type MissingOutput struct{ Paths []string }

// Error names every output that is missing.
func (e *MissingOutput) Error() string {
	return fmt.Sprintf("the command ended with code 0 but did not make its output %s; correct the command, or what it is told to make (-o)", strings.Join(e.Paths, ", "))
}

func missingOutputs(a *action.Action, result *action.Result) error {
	if result.Status != action.StatusOK {
		return nil
	}
	made := map[string]bool{}
	for _, output := range result.Outputs {
		made[output.Path] = true
	}
	var missing []string
	for _, path := range a.Outputs {
		if !made[path.String()] {
			missing = append(missing, path.String())
		}
	}
	if len(missing) > 0 {
		return &MissingOutput{missing}
	}
	return nil
}
