package local

import (
	"context"
	"errors"
	"fmt"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/executor"
	"larder/sandbox"
)

// place is where a run writes: the store, or a spare one for this run alone in
// front of it when the store's disk is full or broken. What the store still
// gives to read is read from there.
type place struct {
	layout caches.Layout
	blobs  *cas.Store
	spare  *layers.Spare // nil in the store
	fault  error         // why it is not the store
}

func (r *Runner) store() place { return place{layout: r.config.Layout, blobs: r.config.Blobs} }

// faults is what a run in this place has to tell from the beginning.
func (p place) faults() []executor.Fault {
	if p.fault == nil {
		return nil
	}
	return []executor.Fault{{What: "the command ran without the store, so neither its result nor its caches were kept", Err: p.fault}}
}

// close removes a spare store.
func (p place) close() {
	if p.spare != nil {
		_ = p.spare.Close() // the next spare removes what is left
	}
}

// check says whether a run in the store is worth an attempt.
func (r *Runner) check(job executor.Job) error {
	err := errors.Join(r.config.Broken, job.Broken)
	if err == nil {
		err = caches.CheckRoom(r.config.Layout.Root())
	}
	if err != nil {
		return &refusal{err}
	}
	return nil
}

// away makes a spare store. When there is no room for one either, the error says
// first what is wrong with the store.
func (r *Runner) away(cause error) (place, error) {
	spare, err := layers.NewSpare(r.config.Spares)
	if err != nil {
		return place{}, fmt.Errorf("%w: %s: %w; and no other place will do: %w", caches.ErrStore, r.config.Layout.Root(), cause, err)
	}
	return place{spare.Layout, cas.InFrontOf(spare.Layout, r.config.Blobs), spare, cause}, nil
}

// refusal says that the store's disk failed before anything was started.
type refusal struct{ error }

// Unwrap gives what failed.
func (r *refusal) Unwrap() error { return r.error }

// refuse marks an error from before the start as a refusal, when a disk is to
// blame. A file of the user's that cannot be read looks the same, and fails again
// in the other place.
func refuse(err error) error {
	if caches.IsFault(err) {
		return &refusal{err}
	}
	return err
}

// refuseSetup is refuse for an error of the sandbox: of those that came before
// the start, only one with a path can be the disk's, and a permission that is
// missing can be only for a path in the store.
func (a *attempt) refuseSetup(err error) error {
	var setup *sandbox.SetupError
	if !errors.As(err, &setup) || setup.Path == "" {
		return err
	}
	if caches.IsDiskFault(err) || within(setup.Path, a.place.layout.Root()) {
		return refuse(err)
	}
	return err
}

// lend makes a spare store for what the store did not take after the command
// has run, and reports whether there is one now.
func (a *attempt) lend(cause error) bool {
	if a.place.spare != nil || !caches.IsFault(cause) {
		return false
	}
	lent, err := a.runner.away(cause)
	if err != nil {
		return false
	}
	a.place = lent
	a.trouble("the result was not kept", cause)
	return true
}

// taking runs work over the blobs, and when their disk fails once more over those
// of a spare store.
func (a *attempt) taking(work func(*cas.Store) error) error {
	err := work(a.place.blobs)
	if err != nil && a.lend(err) {
		err = work(a.place.blobs)
	}
	return err
}

// open checks a cache out. Away from the store, a cache that cannot be read there
// is empty.
func (a *attempt) open(ctx context.Context, ref caches.Ref, options named.CheckoutOptions) (*named.Checkout, error) {
	taken, err := a.runner.config.Named.Checkout(ctx, ref, a.folder, options)
	if err == nil || !a.uncached || ctx.Err() != nil {
		return taken, err
	}
	return named.Open(a.place.layout, nil).Checkout(ctx, ref, a.folder, options)
}
