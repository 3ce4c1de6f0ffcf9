// Package worker takes many actions from a build tool as lines of JSON, and
// answers each with a line.
//
// A line that comes in is a [Request], to run an action or to cancel one; a line
// that goes out is an [Answer]. The protocol is described for its users in
// docs/worker.md and docs/worker.schema.json; how an action is run is for the
// caller to say ([Config]).
//
// # Order
//
// Actions begin in the order of their requests, and answers come in the order in
// which the actions end. Each request that was accepted gets exactly one answer
// with a result, whatever happens to it; a line that was not accepted gets one
// with an error and its number.
//
// # Memory
//
// At most Jobs actions run, and at most Queue requests wait. When so many wait,
// nothing more is read. An answer is written before its job takes the next
// request, so when nobody reads answers, all of it comes to a stop: what is kept
// in memory is at most Jobs+Queue requests, one line, and Jobs answers.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"larder/executor/action"
)

// Config is how a worker works. All of it is needed but Idle.
type Config struct {
	Jobs  int // most actions at one time
	Queue int // most requests that wait
	Line  int // the longest line, in bytes without its end
	// Grace is how long a command that is cancelled has, between a SIGTERM and the
	// end of its context.
	Grace time.Duration
	// Do runs one action. It is called by Jobs goroutines, and always returns a
	// result. An error says what could not be done; its text becomes part of the
	// answer.
	Do func(ctx context.Context, task Task) (*action.Result, error)
	// Idle, when set, is called when all that was asked for is answered, by one
	// goroutine at a time.
	Idle func()
}

// Task is a request that is to be done.
type Task struct {
	Request
	Stdout, Stderr io.Writer        // for what the command prints
	Signals        <-chan os.Signal // for the command, when it is cancelled
}

// ErrUnread says that a worker was stopped and nobody took its last answers.
var ErrUnread = errors.New("the last answers were not read")

// ErrUnwritten says that an answer could not be written, as when its reader is
// gone.
var ErrUnwritten = errors.New("an answer cannot be written, so everything was cancelled")

// lastWords is how long a worker that was stopped waits for somebody to read the
// answers, once nothing runs any more.
const lastWords = time.Second

// Worker answers requests. Stop may be called from any goroutine, Serve once.
type Worker struct {
	config Config
	to     *answers

	mu       sync.Mutex
	changed  *sync.Cond // the queue, ended
	queue    []*entry
	accepted map[string]*entry // and not answered, by id
	ended    bool              // nothing more is accepted
	stop     os.Signal         // that asked for the end of all
	stopped  chan struct{}     // closed then

	unanswered sync.WaitGroup
	running    sync.WaitGroup
	idle       sync.Mutex
}

// New returns a worker that writes its answers to out, each by one call of Write.
func New(config Config, out io.Writer) *Worker {
	w := &Worker{config: config, accepted: map[string]*entry{}, stopped: make(chan struct{})}
	w.changed = sync.NewCond(&w.mu)
	w.to = newAnswers(out, func() { w.Stop(syscall.SIGTERM) })
	return w
}

// entry is an accepted request on its way.
type entry struct {
	Request
	ctx       context.Context
	giveUp    context.CancelFunc
	signals   chan os.Signal
	cancelled bool // by a request, or by Stop
}

// Serve reads requests until in ends, and returns when all of them are answered.
// After [Worker.Stop], or the end of ctx, it returns as soon as nothing runs any more; in may then
// still be read by a goroutine of which nobody hears again. An error says that in
// could not be read, or out not be written ([ErrUnwritten], [ErrUnread]).
func (w *Worker) Serve(ctx context.Context, in io.Reader) error {
	defer context.AfterFunc(ctx, func() { w.Stop(syscall.SIGTERM) })()
	for range w.config.Jobs {
		go w.work()
	}
	read := make(chan error, 1)
	go func() { read <- w.read(ctx, in) }()
	var err error
	select {
	case err = <-read:
	case <-w.stopped:
	}
	w.endInput()
	return errors.Join(err, w.drain(), w.to.problem())
}

// drain waits for the answers to all that was accepted.
func (w *Worker) drain() error {
	answered := make(chan struct{})
	go func() {
		w.unanswered.Wait()
		close(answered)
	}()
	select {
	case <-answered:
		return nil
	case <-w.stopped:
	}
	w.running.Wait()
	select {
	case <-answered:
		return nil
	case <-time.After(lastWords):
		return ErrUnread
	}
}

// read accepts what comes in.
func (w *Worker) read(ctx context.Context, in io.Reader) error {
	lines := newLines(in, w.config.Line)
	for {
		text, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, errLine) {
			return fmt.Errorf("read requests: %w", err)
		}
		var request Request
		if err == nil {
			request, err = Parse(text)
		}
		if err == nil {
			err = w.take(ctx, request)
		}
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			w.to.write(Answer{ID: idOf(text), Line: lines.number, Error: err.Error()})
		}
	}
}

// errEnded says that a worker was stopped while it was reading.
var errEnded = errors.New("the worker was stopped")

// take does what a request says, or puts it into the queue, in which it waits for
// room.
func (w *Worker) take(ctx context.Context, request Request) error {
	if request.Cancel != "" {
		w.cancel(request.Cancel)
		return nil
	}
	e, err := w.accept(ctx, request)
	if err != nil {
		return err
	}
	w.tell(e, Accepted)
	if !w.enqueue(e) {
		w.answer(e, notBegun())
		return errEnded
	}
	return nil
}

// enqueue adds to the queue, unless the worker was stopped and nobody looks there
// any more.
func (w *Worker) enqueue(e *entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	w.queue = append(w.queue, e)
	w.changed.Broadcast()
	return true
}

// accept waits for room in the queue, and from then on the request is sure of an
// answer.
func (w *Worker) accept(ctx context.Context, request Request) (*entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.accepted[request.ID] != nil {
		return nil, fmt.Errorf("id %q is the one of another request, which is not answered yet; give each its own", request.ID)
	}
	for len(w.queue) >= w.config.Queue && !w.ended {
		w.changed.Wait()
	}
	if w.ended {
		return nil, errEnded
	}
	e := &entry{Request: request, signals: make(chan os.Signal, 8)}
	e.ctx, e.giveUp = context.WithCancel(ctx)
	w.accepted[e.ID] = e
	w.unanswered.Add(1)
	return e, nil
}

// cancel ends a request. One that waits is answered at once; one that runs is
// answered when it has ended; one that is answered is left alone, since the two
// may have crossed.
func (w *Worker) cancel(id string) {
	w.mu.Lock()
	e := w.accepted[id]
	at := slices.Index(w.queue, e)
	if at >= 0 {
		w.queue = slices.Delete(w.queue, at, at+1)
		w.changed.Broadcast()
	}
	if e != nil {
		w.interrupt(e, syscall.SIGTERM)
	}
	w.mu.Unlock()
	if at >= 0 {
		w.answer(e, notBegun())
	}
}

// interrupt asks an action to end. It is called under the mutex.
func (w *Worker) interrupt(e *entry, s os.Signal) {
	if !e.cancelled {
		stop := time.AfterFunc(w.config.Grace, e.giveUp)
		context.AfterFunc(e.ctx, func() { stop.Stop() })
	}
	e.cancelled = true
	select {
	case e.signals <- s:
	default: // it has enough of them waiting already
	}
}

// Stop cancels all requests, the ones that run by this signal, and has Serve
// return. A second one is passed on as well.
func (w *Worker) Stop(s os.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil {
		w.stop = s
		close(w.stopped)
	}
	w.ended = true
	w.changed.Broadcast()
	for _, e := range w.accepted {
		w.interrupt(e, s)
	}
}

func (w *Worker) endInput() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.changed.Broadcast()
}
