package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/results"
	"larder/digest"
	"larder/executor/action"
)

// replay answers from kept results: nil when there is no answer to be trusted.
func (r *run) replay(ctx context.Context) (*action.Result, error) {
	if !r.request.Results.Read {
		r.miss.Reason = results.NotAsked
		if r.request.Results.Write {
			r.miss.Reason = results.NotRead
		}
		return nil, nil
	}
	var record *results.Record
	err := r.step(action.StepLookup, func() (bytes int64, err error) {
		record, r.miss, err = r.executor.results.Lookup(ctx, r.key.Digest)
		return 0, err
	})
	if err != nil {
		r.miss = results.Miss{Reason: results.Unusable, What: OneLine(err)}
		r.trouble("the kept results cannot be read, so the command ran", err)
		return nil, nil
	}
	if record == nil {
		return nil, nil
	}
	if !record.IgnoresInput && !r.request.Streams.Input.isEmpty() {
		r.miss.Reason = results.NeedsInput
		return nil, nil
	}
	result, spoken, err := r.handOver(ctx, record)
	if err == nil || spoken || ctx.Err() != nil {
		return result, err
	}
	if errors.Is(err, caches.ErrUnreadable) {
		r.broken = err
	}
	r.miss = results.Miss{Reason: results.Unusable, What: OneLine(err)}
	r.trouble("a kept result could not be handed over, so the command ran", err)
	return nil, nil
}

// tellMissed tells who wants to know it why the command has to run.
func (r *run) tellMissed() {
	if r.request.Missed == nil {
		return
	}
	missed := Missed{Miss: r.miss, Inputs: r.inputs}
	if r.keyed == nil { // or it is made beside the command
		missed.Key = r.key
	}
	r.request.Missed(missed)
}

// handOver gives a kept answer as if the command had run. spoken says that some
// of it has reached the caller's streams, so that it cannot be taken back.
func (r *run) handOver(ctx context.Context, record *results.Record) (result *action.Result, spoken bool, err error) {
	if result, err = r.deliverKept(ctx, record); err != nil {
		return result, false, err
	}
	streams := r.request.Streams
	err = r.replayLogs(record, noting{streams.Stdout, &spoken}, noting{streams.Stderr, &spoken})
	return result, spoken, err
}

// deliverKept writes the outputs of a kept answer.
func (r *run) deliverKept(ctx context.Context, record *results.Record) (*action.Result, error) {
	result := r.describe(r.blank())
	result.Status, result.ExitCode, result.Cached = action.StatusOK, record.ExitCode, "local"
	if record.ExitCode != 0 {
		result.Status = action.StatusFailed
	}
	result.StdoutDigest, result.StderrDigest, result.OutputDigest = record.Stdout, record.Stderr, record.OutputTree
	result.Resources = action.Resources{MaxRSSBytes: record.MaxRSSBytes, UserMS: record.UserMS, SystemMS: record.SystemMS}
	outputs, err := r.outputsOf(record, result)
	if err != nil {
		return result, err
	}
	if err := r.readable(record); err != nil {
		return result, err
	}
	return result, r.deliver(ctx, result, outputs)
}

func (r *run) outputsOf(record *results.Record, result *action.Result) ([]digest.Entry, error) {
	var entries []digest.Entry
	for _, output := range record.Outputs {
		entry := digest.Entry{Path: output.Path, Executable: output.Executable, Target: output.Target}
		switch output.Kind {
		case action.KindDirectory:
			entry.Kind = digest.KindDirectory
		case action.KindSymlink:
			entry.Kind = digest.KindSymlink
		default:
			entry.Kind = digest.KindFile
		}
		if entry.Kind != digest.KindSymlink {
			parsed, err := digest.Parse(r.executor.inputs.Function, output.Digest)
			if err != nil {
				return nil, fmt.Errorf("output %s of the kept result: %w", output.Path, err)
			}
			entry.Digest = parsed
		}
		entries = append(entries, entry)
		result.Outputs = append(result.Outputs, action.Output(output))
	}
	return entries, nil
}

// readable looks at both logs of a kept answer as a whole before the user sees
// anything: what cannot be read to its end is no answer.
func (r *run) readable(record *results.Record) error {
	for _, text := range []string{record.Stdout, record.Stderr} {
		log, err := digest.Parse(r.executor.inputs.Function, text)
		if err == nil {
			err = r.copyLog(io.Discard, log)
		}
		if caches.IsFault(err) {
			err = fmt.Errorf("%w: %w", caches.ErrUnreadable, err)
		}
		if err != nil {
			return fmt.Errorf("read the output of the kept result: %w", err)
		}
	}
	return nil
}

func (r *run) replayLogs(record *results.Record, stdoutTo, stderrTo io.Writer) error {
	stdout, err := digest.Parse(r.executor.inputs.Function, record.Stdout)
	if err != nil {
		return fmt.Errorf("standard output of the kept result: %w", err)
	}
	stderr, err := digest.Parse(r.executor.inputs.Function, record.Stderr)
	if err != nil {
		return fmt.Errorf("standard error of the kept result: %w", err)
	}
	if err := r.copyLog(stdoutTo, stdout); err != nil {
		return fmt.Errorf("replay standard output: %w", err)
	}
	if err := r.copyLog(stderrTo, stderr); err != nil {
		return fmt.Errorf("replay standard error: %w", err)
	}
	return nil
}

// copyLog copies what was printed. Most actions print nothing, for which no blob
// has to be opened.
func (r *run) copyLog(to io.Writer, log digest.Digest) error {
	if log.Size() == 0 {
		return nil
	}
	return r.blobs.CopyTo(to, log)
}

// noting notes that something was written.
type noting struct {
	io.Writer
	written *bool
}

// Write writes on, and notes it first: of a write that fails, some may be out.
func (n noting) Write(data []byte) (int, error) {
	*n.written = *n.written || len(data) > 0
	return n.Writer.Write(data)
}

// keep records the answer when it is worth asking for again. A record that
// cannot be written is a warning: results are only ever a saving.
func (r *run) keep(ctx context.Context, outcome *Outcome, observed []results.Observation) {
	result := outcome.Result
	if !r.request.Results.Write {
		return
	}
	if result.NotKept = r.unworthy(outcome); result.NotKept != "" {
		return
	}
	if !r.isUnchanged(ctx) {
		result.NotKept = "a tool, a payload or the host's packages changed while it ran"
		result.Warnings = append(result.Warnings, "the result was not kept: a tool, a payload or the host's packages changed while the command ran")
		return
	}
	record := &results.Record{
		Format: results.Format, ExitCode: result.ExitCode,
		Stdout: result.StdoutDigest, Stderr: result.StderrDigest, OutputTree: result.OutputDigest,
		Observed: observed, IgnoresInput: outcome.Input == InputUnread,
		Created: time.Now().UTC().Truncate(time.Second), RunMS: r.timings[action.StepRun],
		MaxRSSBytes: result.Resources.MaxRSSBytes, UserMS: result.Resources.UserMS, SystemMS: result.Resources.SystemMS,
	}
	record.Action, record.Command = r.key.Kept()
	for _, output := range result.Outputs {
		record.Outputs = append(record.Outputs, results.Output(output))
	}
	if err := r.executor.results.Record(ctx, r.key.Digest, record); err != nil {
		result.NotKept = "the store could not take it"
		r.trouble("the result was not kept", err)
	}
}

// lookAgain takes what of the machine the key holds once more, when the command
// has ended and while its outputs are captured and its caches published. The
// inputs are a copy that nobody changes, but a tool is the host's own: one that
// was replaced between the key and the command would leave its answer under the
// key of the other.
func (r *run) lookAgain() {
	same := make(chan bool, 1)
	r.unchanged = same
	key := r.key.Digest
	go func() {
		properties, err := r.surroundings.Properties(context.Background())
		same <- err == nil && r.request.Action.Key(r.inputs.Root, properties).Digest == key
	}()
}

// isUnchanged waits for what lookAgain finds.
func (r *run) isUnchanged(ctx context.Context) bool {
	if r.unchanged == nil {
		return false
	}
	select {
	case same := <-r.unchanged:
		return same
	case <-ctx.Done():
		return false
	}
}

// unworthy says why an answer is not worth keeping, and nothing when it is: one
// that depended on what was typed or piped in is not an answer to the key. A failure may have come from the machine (a full disk, a
// flaky test), so it is kept only under an exit code that a cache of the action
// declares as one of the tool's good answers, as publish=0,1 does for mypy.
func (r *run) unworthy(outcome *Outcome) string {
	if outcome.Input == InputRead {
		return "it read standard input"
	}
	switch outcome.Result.Status {
	case action.StatusOK:
	case action.StatusFailed:
		good := func(c action.Cache) bool { return c.Publish.Declares(outcome.Result.ExitCode) }
		if !slices.ContainsFunc(r.request.Action.Caches, good) {
			return fmt.Sprintf("it failed with exit code %d", outcome.Result.ExitCode)
		}
	default:
		return "it failed"
	}
	if outcome.Away != nil || outcome.Stdout.IsZero() || outcome.Stderr.IsZero() || outcome.Result.OutputDigest == "" {
		return "the store could not take it"
	}
	return ""
}
