package main

import (
	"context"
	"time"

	"larder/caches/results"
	"larder/executor"
	"larder/executor/action"
)

// reasons tells why an action ran, and writes down what it was made of for the
// next time that somebody asks.
type reasons struct {
	shop   *workshop
	line   string // see [results.LineOf]
	missed executor.Missed
}

func (w *workshop) reasons(wanted *action.Action) *reasons {
	return &reasons{shop: w, line: results.LineOf(wanted.Root, wanted.Argv)}
}

// note remembers why the command has to run.
func (r *reasons) note(missed executor.Missed) { r.missed = missed }

// tell says it too.
func (r *reasons) tell(ctx context.Context) func(executor.Missed) {
	return func(missed executor.Missed) {
		r.note(missed)
		lines, err := r.shop.past().Run(ctx, missed, r.line)
		if err != nil {
			return // the run is broken off
		}
		for _, line := range lines {
			tell("%s", line)
		}
	}
}

// tellHit says that the command did not run.
func (r *reasons) tellHit(result *action.Result) {
	if result.Cached != "no" {
		tell("it did not run: its result was kept under the key %s", result.Key)
	}
}

// keep writes down the last run. Without it the next explanation knows less.
func (r *reasons) keep(result *action.Result) {
	if r.missed.Key.Digest.IsZero() || r.shop.broken != nil {
		return
	}
	last := results.Last{Line: r.line, Key: result.Key, NotKept: result.NotKept, Ended: time.Now().UTC().Truncate(time.Second)}
	last.Action, last.Command = r.missed.Key.Kept()
	_ = results.NewFiles(r.shop.layout).SaveLast(last)
}
