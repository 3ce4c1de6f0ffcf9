package worker

import (
	"bytes"
	"slices"
	"syscall"

	"larder/executor/action"
)

// work does one request after the other.
func (w *Worker) work() {
	for {
		e, isWanted := w.next()
		switch {
		case e == nil:
			return
		case isWanted:
			w.do(e)
		default:
			w.answer(e, notBegun())
		}
	}
}

// next takes the next request out of the queue, nil when none will come. One that
// was cancelled meanwhile is not wanted any more; else it counts as running.
func (w *Worker) next() (e *entry, isWanted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.ended {
		w.changed.Wait()
	}
	if len(w.queue) == 0 {
		return nil, false
	}
	e = w.queue[0]
	w.queue = slices.Delete(w.queue, 0, 1)
	w.changed.Broadcast()
	if !e.cancelled {
		w.running.Add(1)
	}
	return e, !e.cancelled
}

// do runs an action and answers.
func (w *Worker) do(e *entry) {
	w.tell(e, Started)
	stdout, stderr := beginning{most: e.Inline}, beginning{most: e.Inline}
	result, err := w.config.Do(e.ctx, Task{e.Request, &stdout, &stderr, e.signals})
	w.running.Done()
	answer := Answer{Result: result, Cancelled: w.wasCancelled(e, result)}
	if err != nil {
		answer.Error = err.Error()
	}
	if e.Inline > 0 {
		answer.Stdout, answer.Stderr = stdout.text(), stderr.text()
		answer.Truncated = stdout.isCut || stderr.isCut
	}
	w.answer(e, answer)
}

// wasCancelled reports whether a request ended because it was cancelled: one that
// came to its end all the same was not.
func (w *Worker) wasCancelled(e *entry, result *action.Result) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return e.cancelled && (result.Status == action.StatusKilled || result.Status == action.StatusError)
}

// tell answers with an event, to those who want them.
func (w *Worker) tell(e *entry, event Event) {
	if e.Events {
		w.to.write(Answer{ID: e.ID, Event: event})
	}
}

// answer gives the last answer to a request. Its id is free before that is
// written, since whoever reads it may use the id again.
func (w *Worker) answer(e *entry, last Answer) {
	e.giveUp()
	w.mu.Lock()
	delete(w.accepted, e.ID)
	isLast := len(w.accepted) == 0
	w.mu.Unlock()
	last.ID = e.ID
	w.to.write(last)
	if isLast && w.config.Idle != nil && w.idle.TryLock() {
		w.config.Idle()
		w.idle.Unlock()
	}
	w.unanswered.Done()
}

// notBegun answers a request that was cancelled while it waited.
func notBegun() Answer {
	result := action.NewResult()
	result.Status, result.ExitCode = action.StatusKilled, 128+int(syscall.SIGTERM)
	return Answer{Result: result, Cancelled: true, Error: "it was cancelled before it began"}
}

// beginning keeps the first bytes of what is written to it.
type beginning struct {
	most  int
	kept  bytes.Buffer
	isCut bool
}

// Write takes all of data.
func (b *beginning) Write(data []byte) (int, error) {
	some := data[:min(len(data), b.most-b.kept.Len())]
	b.isCut = b.isCut || len(some) < len(data)
	b.kept.Write(some)
	return len(data), nil
}

func (b *beginning) text() *string {
	text := b.kept.String()
	return &text
}
