package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"larder/caches/results"
	"larder/digest"
	"larder/executor/action"
)

// runner is a runner whose answers the test decides on. The commands are made
// up; the order of the steps is that of a real run.
type runner struct {
	stdout, stderr string
	outputs        []string // paths that the command "makes", each holding its own name
	code           int
	input          InputUse
	machine        string // the state of the machine
	replaces       bool   // running changes that state
	sandbox        string // as it is described
	beyond         string // as it turned out to be, if that is another
	describeErr    error
	executeErr     error
	faults         []Fault
	away           Blobs
	releases       int // how often away was given back
	runs           int
	job            Job // the last one
	expected       int // how often it was told to begin
	dropped        int // how often it was told that nothing more comes
}

func (r *runner) Describe(context.Context, *action.Action) (Surroundings, error) {
	properties := func(context.Context) ([]action.Property, error) {
		return []action.Property{{Name: "machine", Value: "m" + r.machine}}, nil
	}
	return Surroundings{Properties: properties, Expect: func() { r.expected++ }, Drop: func() { r.dropped++ }, Sandbox: r.sandbox, Handle: r}, r.describeErr
}

func (r *runner) Execute(_ context.Context, job Job) (*Outcome, error) {
	r.runs++
	r.job = job
	if r.replaces {
		r.machine += "+"
	}
	for _, step := range []action.Step{action.StepCheckout, action.StepSandbox, action.StepRun, action.StepCapture, action.StepPublish} {
		job.Emit(Event{Step: step, Start: time.Now(), Duration: time.Millisecond})
	}
	result := action.NewResult()
	result.ExitCode, result.Status = r.code, action.StatusOK
	if r.code != 0 {
		result.Status = action.StatusFailed
	}
	outcome := &Outcome{Result: result, Stdout: of(r.stdout), Stderr: of(r.stderr), Input: r.input, Faults: r.faults}
	if r.beyond != "" {
		result.Sandbox, outcome.Properties = r.beyond, []action.Property{{Name: "sandbox", Value: r.beyond}}
	}
	outcome.Away, outcome.Release = r.away, func() { r.releases++ }
	result.StdoutDigest, result.StderrDigest = outcome.Stdout.String(), outcome.Stderr.String()
	result.OutputDigest = of("the tree of the outputs").String()
	for _, path := range r.outputs {
		outcome.Outputs = append(outcome.Outputs, digest.Entry{Path: path, Kind: digest.KindFile, Digest: of(path)})
		result.Outputs = append(result.Outputs, action.Output{Path: path, Kind: action.KindFile, Digest: of(path).String()})
	}
	io.WriteString(job.Streams.Stdout, r.stdout)
	io.WriteString(job.Streams.Stderr, r.stderr)
	return outcome, r.executeErr
}

// records keeps records in memory, and fails when it is told to.
type records struct {
	kept            map[digest.Digest]*results.Record
	loadErr, setErr error
}

func (r *records) Lookup(_ context.Context, key digest.Digest) (*results.Record, results.Miss, error) {
	return r.kept[key], results.Miss{Reason: results.Absent}, r.loadErr
}

func (r *records) Record(_ context.Context, key digest.Digest, record *results.Record) error {
	if r.setErr == nil {
		r.kept[key] = record
	}
	return r.setErr
}

// blobs hands texts over by their digests.
type blobs map[digest.Digest]string

func (b blobs) CopyTo(w io.Writer, d digest.Digest) error {
	text, ok := b[d]
	if !ok {
		return fmt.Errorf("blob %s is not there", d)
	}
	_, err := io.WriteString(w, text)
	return err
}

func (b blobs) Export(_ context.Context, entry digest.Entry, dest string) error {
	text, ok := b[entry.Digest]
	if !ok {
		return fmt.Errorf("blob %s is not there", entry.Digest)
	}
	return errors.Join(os.MkdirAll(filepath.Dir(dest), 0o755), os.WriteFile(dest, []byte(text), 0o644))
}

// badDisk has what blobs has, and cannot read it.
type badDisk struct{ blobs }

func (b badDisk) CopyTo(io.Writer, digest.Digest) error {
	return fmt.Errorf("read a blob: %w", syscall.EIO)
}

func of(text string) digest.Digest { return digest.Of(digest.BLAKE3, []byte(text)) }

// bench is an executor with its made-up parts, and a real root.
type bench struct {
	root    string
	runner  *runner
	records *records
	blobs   blobs
	line    *Executor
}

func newBench(t testing.TB, r *runner) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{root: filepath.Join(dir, "root"), runner: r, records: &records{kept: map[digest.Digest]*results.Record{}}, blobs: blobs{}}
	for _, text := range append([]string{r.stdout, r.stderr}, r.outputs...) {
		b.blobs[of(text)] = text
	}
	if err := os.Mkdir(b.root, 0o755); err != nil {
		t.Fatal(err)
	}
	inputs := Inputs{
		Function: digest.BLAKE3, Trees: digest.Directories{},
		IndexFile:  func(string) string { return filepath.Join(dir, "index") },
		WriteIndex: func(file string, data []byte) error { return os.WriteFile(file, data, 0o644) },
	}
	b.line = New(inputs, r, b.records, b.blobs)
	return b
}

// ran is what came of one request.
type ran struct {
	*action.Result
	err            error
	stdout, stderr string
	steps          []action.Step
}

func (b *bench) run(t testing.TB, spec action.Spec, request Request) ran {
	t.Helper()
	if spec.Argv == nil {
		spec.Argv = []string{"tool"}
	}
	checked, err := spec.Validate(b.root)
	if err != nil {
		t.Fatal(err)
	}
	var out ran
	var stdout, stderr bytes.Buffer
	request.Action = checked
	request.Streams.Stdout, request.Streams.Stderr = &stdout, &stderr
	request.Observe = func(event Event) { out.steps = append(out.steps, event.Step) }
	out.Result, out.err = b.line.Run(t.Context(), request)
	out.stdout, out.stderr = stdout.String(), stderr.String()
	return out
}

func readWrite() Request { return Request{Results: ResultPolicy{Read: true, Write: true}} }

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// exists reports whether there is anything at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
