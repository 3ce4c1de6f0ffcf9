package main

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"
)

// fanOut passes signals on to all actions of a build, or to the one of a run. The first that asks for an
// end also has nothing more begun; a SIGINT after it, a second Ctrl-C, is passed on
// as SIGKILL, since who gives it does not want to wait any longer.
type fanOut struct {
	stop chan struct{} // closed then

	now func() time.Time

	mu    sync.Mutex
	to    map[int]chan os.Signal
	ended os.Signal
	since time.Time // when the end was asked for
	// impatient: a second Ctrl-C came.
	impatient bool
}

func newFanOut() *fanOut {
	return &fanOut{stop: make(chan struct{}), now: time.Now, to: map[int]chan os.Signal{}}
}

// sameOne is how long after the first signal a SIGINT is no second Ctrl-C, but the
// same one: it reaches larder from the terminal and again from who started larder.
const sameOne = 300 * time.Millisecond

// relay works until ctx ends.
func (f *fanOut) relay(ctx context.Context, from <-chan os.Signal) {
	for {
		select {
		case s := <-from:
			f.pass(s)
		case <-ctx.Done():
			return
		}
	}
}

func (f *fanOut) pass(s os.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case s == syscall.SIGUSR1 || s == syscall.SIGUSR2:
	case f.ended == nil:
		f.ended, f.since = s, f.now()
		close(f.stop)
	case s == syscall.SIGINT && f.now().Sub(f.since) >= sameOne:
		s, f.impatient = syscall.SIGKILL, true
	}
	for _, to := range f.to {
		select {
		case to <- s:
		default: // the command has enough of them waiting already
		}
	}
}

// add begins to pass signals on to an action. One that comes after the end was
// asked for has missed that, and is told.
func (f *fanOut) add(i int) <-chan os.Signal {
	to := make(chan os.Signal, 8)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to[i] = to
	if f.ended != nil {
		to <- f.ended
	}
	if f.impatient {
		to <- syscall.SIGKILL
	}
	return to
}

// remove ends it.
func (f *fanOut) remove(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.to, i)
}

// first is the signal that asked for the end, or 0.
func (f *fanOut) first() syscall.Signal {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, _ := f.ended.(syscall.Signal)
	return s
}
