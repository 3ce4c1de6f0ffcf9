package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"larder/executor/action"
)

// Event says how far a request is, to those who ask for it.
type Event string

// The events, in their order.
const (
	Accepted Event = "accepted" // it waits in the queue
	Started  Event = "started"
)

// Answer is one line that goes out. One with a result or an error is the last for
// its request.
type Answer struct {
	// ID is that of the request. It is empty when the line had none that could be
	// read.
	ID string `json:"id,omitempty"`
	// Line is the number, from 1, of a line that was not accepted.
	Line   int            `json:"line,omitempty"`
	Event  Event          `json:"event,omitempty"`
	Result *action.Result `json:"result,omitempty"`
	// Cancelled is set when the request ended because it was cancelled.
	Cancelled bool `json:"cancelled,omitempty"`
	// Error says why a line was not accepted; beside a result, what larder could not
	// do.
	Error string `json:"error,omitempty"`
	// Stdout and Stderr begin what the command printed, when the request has Inline.
	// What is not UTF-8 in it is replaced by U+FFFD.
	Stdout *string `json:"stdout,omitempty"`
	Stderr *string `json:"stderr,omitempty"`
	// Truncated is set when one of them is not all of it.
	Truncated bool `json:"truncated,omitempty"`
}

// answers writes answers, each whole.
type answers struct {
	to     io.Writer
	failed func()        // called once, when one cannot be written
	turn   chan struct{} // has room for one: whoever writes
	err    error         // the first, to be looked at in turn; nothing is written after it
}

func newAnswers(to io.Writer, failed func()) *answers {
	return &answers{to: to, failed: failed, turn: make(chan struct{}, 1)}
}

// write waits until somebody has room for the answer.
func (a *answers) write(answer Answer) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(answer)
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	if a.err != nil {
		return
	}
	if err == nil {
		_, err = a.to.Write(line.Bytes())
	}
	if err != nil {
		a.err = fmt.Errorf("%w: %w", ErrUnwritten, err)
		a.failed()
	}
}

// problem returns what went wrong. It does not wait for a write under way.
func (a *answers) problem() error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
		return a.err
	default:
		return nil
	}
}
