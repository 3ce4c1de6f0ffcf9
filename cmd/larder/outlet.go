package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"larder/executor/action"
)

// outlet is standard output, and remembers why it could not be written: whoever
// copies what a command prints goes on without it. It may be used by several
// goroutines at once.
type outlet struct {
	to      io.Writer
	mu      sync.Mutex
	failure error // the first
}

// Write writes on and notes the first error. A reader that went away, such as
// head(1), is none: it has what it wanted.
func (o *outlet) Write(data []byte) (int, error) {
	n, err := o.to.Write(data)
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.failure == nil {
			o.failure = err
		}
	}
	return n, err
}

// printf is for lines that nobody has to write before the next; err has the first
// error of all of them.
func (o *outlet) printf(format string, args ...any) { fmt.Fprintf(o, format, args...) }

// err is the first error, nil when all has arrived.
func (o *outlet) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// settle says in the result that what the command printed did not arrive, as on a
// full disk. It makes a success none, because a program that prints for itself
// fails there too; the code of a command that failed anyway stays.
func (o *outlet) settle(result *action.Result) error {
	err := o.err()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("print the output of the command: %w", err)
	if result.StdoutDigest != "" {
		err = fmt.Errorf("%w; larder digest cat %s shows it", err, result.StdoutDigest)
	}
	if result.ExitCode != 0 {
		complain(err)
		return nil
	}
	result.Status = action.StatusError
	return err
}
