package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"larder/cmd/larder/signals"
)

// relayedSignals are passed on to commands.
func relayedSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}

// relaySignals passes signals to larder on to commands. After the first one
// that asks for an end, and the time of grace, the context is cancelled.
func relaySignals(ctx context.Context) (context.Context, <-chan os.Signal, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	received, passed := make(chan os.Signal, 8), make(chan os.Signal, 8)
	// Each of them is a talk between threads of the runtime, which nobody waits
	// for: until it is over a signal ends larder, as before.
	go notify(received)
	go passOn(ctx, cancel, received, func(s os.Signal) {
		select {
		case passed <- s:
		default: // there are eight waiting already
		}
	})
	return ctx, passed, cancel
}

// relayToOne is relaySignals for a process that runs one command, and uses os/signal for
// nothing else. A second Ctrl-C comes as SIGKILL.
func relayToOne(ctx context.Context) (context.Context, <-chan os.Signal, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	received, one := make(chan os.Signal, 8), newFanOut()
	if err := signals.Catch(received, relayedSignals()...); err != nil {
		go notify(received)
	}
	go passOn(ctx, cancel, received, one.pass)
	return ctx, one.add(0), cancel
}

func passOn(ctx context.Context, cancel context.CancelFunc, received <-chan os.Signal, pass func(os.Signal)) {
	for s := range received {
		if s != syscall.SIGUSR1 && s != syscall.SIGUSR2 {
			afterGrace(ctx, cancel)
		}
		pass(s)
	}
}

// notify asks os/signal.
func notify(to chan<- os.Signal) {
	if all := signals.Wanted(relayedSignals()); len(all) > 0 { // none would mean all
		signal.Notify(to, all...)
	}
	outliveReaders()
}

// outliveReaders: a closed pipe on standard output, as behind head(1), must not end
// larder before it has published. Ignoring the signal would pass that on to processes
// that larder starts; a channel that nobody reads does not.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// afterGrace cancels when half of the time of grace is over; the runner gives
// the other half.
func afterGrace(ctx context.Context, cancel context.CancelFunc) {
	stop := time.AfterFunc(grace/2, cancel)
	context.AfterFunc(ctx, func() { stop.Stop() })
}
