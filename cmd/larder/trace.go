package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"larder/executor"
	"larder/executor/action"
)

// tracer writes Chrome trace events, one a line, as the array that viewers also
// read when its end is missing. Actions that run at one time have a lane each. A
// nil *tracer writes nothing.
type tracer struct {
	mu    sync.Mutex
	file  *os.File
	to    *bufio.Writer
	began time.Time
	busy  []bool // by lane
	wrote bool
	err   error // the first
}

// traceEvent is a span of time, in microseconds since the beginning. Fields are as
// the Trace Event Format of Chromium names them.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	Phase    string         `json:"ph"`
	Start    int64          `json:"ts"`
	Duration int64          `json:"dur"`
	Process  int            `json:"pid"`
	Lane     int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// newTracer begins the file at path; without a path there is no tracer.
func newTracer(path string) (*tracer, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the trace: %w", err)
	}
	return &tracer{file: file, to: bufio.NewWriterSize(file, 64<<10), began: time.Now()}, nil
}

// track is one action in a trace.
type track struct {
	tracer *tracer
	name   string
	lane   int
}

// begin takes the first lane that is free.
func (t *tracer) begin(name string) *track {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lane := slices.Index(t.busy, false)
	if lane < 0 {
		lane = len(t.busy)
		t.busy = append(t.busy, false)
	}
	t.busy[lane] = true
	return &track{t, name, lane}
}

// observe writes a step of the action. It is an observer of events.
func (k *track) observe(event executor.Event) {
	if event.Step == action.StepTotal {
		return // the action itself is a span of its own
	}
	var args map[string]any
	if event.Bytes > 0 {
		args = map[string]any{"bytes": event.Bytes}
	}
	k.tracer.write(k.span(string(event.Step), "step", event.Start, event.Duration, args))
}

// end writes the action itself, and gives its lane back.
func (k *track) end(start time.Time, took time.Duration, args map[string]any) {
	if k == nil {
		return
	}
	k.tracer.write(k.span(k.name, "action", start, took, args))
	k.tracer.mu.Lock()
	defer k.tracer.mu.Unlock()
	k.tracer.busy[k.lane] = false
}

func (k *track) span(name, category string, start time.Time, took time.Duration, args map[string]any) traceEvent {
	return traceEvent{name, category, "X", start.Sub(k.tracer.began).Microseconds(), took.Microseconds(), os.Getpid(), k.lane + 1, args}
}

func (t *tracer) write(event traceEvent) {
	data, err := json.Marshal(event)
	t.mu.Lock()
	defer t.mu.Unlock()
	separator := ",\n"
	if !t.wrote {
		separator = "[\n"
	}
	t.wrote = true
	if err == nil {
		_, err = t.to.WriteString(separator + string(data))
	}
	if t.err == nil {
		t.err = err
	}
}

// close ends the file, and says what went wrong with it.
func (t *tracer) close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	end := "\n]\n"
	if !t.wrote {
		end = "[]\n"
	}
	_, err := t.to.WriteString(end)
	if err = errors.Join(t.err, err, t.to.Flush(), t.file.Close()); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}

// outcome is what a trace says of an action when it has ended.
func outcome(result *action.Result) map[string]any {
	return map[string]any{"status": result.Status, "cached": result.Cached, "exit_code": result.ExitCode}
}

// traced runs a request with a trace of its own at path; without a path it only
// runs it.
func traced(path string, request executor.Request, run func(executor.Request) (*action.Result, error)) (*action.Result, error) {
	t, err := newTracer(path)
	if err != nil {
		return refused(), err
	}
	if t == nil {
		return run(request)
	}
	whole := t.begin(request.Action.Argv[0])
	request.Observe = whole.observe
	begin := time.Now()
	result, err := run(request)
	whole.end(begin, time.Since(begin), outcome(result))
	return result, errors.Join(err, t.close())
}
