package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/digest"
	"larder/executor/action"
	"larder/sandbox"
)

// checkout is a cache of the action with its lease.
type checkout struct {
	*named.Checkout
	cache action.Cache
	ref   caches.Ref
}

// checkOut leases every cache and stacks the input tree.
func (a *attempt) checkOut(ctx context.Context) error {
	return a.step(action.StepCheckout, func() error {
		for _, c := range inOrder(a.job.Action.Caches, RepositoryOf(a.job.Action.Root)) {
			if err := a.lease(ctx, c); err != nil {
				return err
			}
		}
		slices.SortFunc(a.checkouts, func(x, y checkout) int {
			return strings.Compare(x.cache.Path.String(), y.cache.Path.String())
		})
		if err := a.viewPayloads(ctx); err != nil {
			return err
		}
		return a.stackInputs(ctx)
	})
}

// inOrder lists the caches as they are to be leased. Those with lock=true come
// in the order of their ids, which is the same for all actions wherever they
// have them: in the order of paths, two actions with the paths swapped would
// wait for each other for ever. The others come last, so that what they are
// given is not old by the time that the waiting is over.
func inOrder(declared []action.Cache, repository string) []checkout {
	var ordered []checkout
	for _, cache := range declared {
		ordered = append(ordered, checkout{cache: cache, ref: cache.Ref(repository)})
	}
	slices.SortFunc(ordered, func(x, y checkout) int {
		if x.cache.Lock != y.cache.Lock {
			return map[bool]int{true: -1, false: 1}[x.cache.Lock]
		}
		return strings.Compare(x.ref.ID(), y.ref.ID())
	})
	return ordered
}

// lease checks one cache out.
func (a *attempt) lease(ctx context.Context, c checkout) error {
	options := named.CheckoutOptions{Copy: a.copied, Alone: c.cache.Lock}
	options.Waits = (&turn{ref: c.ref, say: a.job.Say}).waits
	take := func(ctx context.Context) (err error) {
		if c.Checkout, err = a.open(ctx, c.ref, options); err == nil {
			a.checkouts = append(a.checkouts, c)
		}
		return err
	}
	var err error
	if c.cache.Lock {
		err = a.untilAsked(ctx, take)
	} else {
		err = take(ctx)
	}
	if err != nil {
		return fmt.Errorf("cache %s: %w", c.cache.Name, err)
	}
	if problem := c.Warning(); problem != nil {
		a.trouble(fmt.Sprintf("cache %s starts empty", c.cache.Name), problem)
	}
	return nil
}

// untilAsked waits, and breaks off as soon as larder is asked to end: there is
// no command yet that the signal could be passed on to.
func (a *attempt) untilAsked(ctx context.Context, wait func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over, quiet := make(chan struct{}), make(chan struct{})
	var asked error
	go func() {
		defer close(quiet)
		for asked == nil {
			select {
			case signal := <-a.job.Signals:
				if asksForEnd(signal) {
					asked = fmt.Errorf("%w by signal %d (%v) before its turn came (lock=true); the command was not run", ErrInterrupted, signal, signal)
					cancel(asked)
				}
			case <-over:
				return
			}
		}
	}()
	err := wait(ctx)
	close(over)
	<-quiet
	return cmp.Or(asked, err)
}

// stackInputs makes the workspace. Without any input there is nothing to put a
// layer on, and the private folder itself is the workspace. That would not do
// for a cache: a process could write the marks of overlayfs into its folder.
// Outputs lose all extended attributes on their way into the store.
func (a *attempt) stackInputs(ctx context.Context) (err error) {
	if a.job.Inputs.Root.Size() == 0 {
		if a.work.upper, err = a.folder.Place(layers.BuildPlace); err != nil {
			return err
		}
		return os.Chmod(a.work.upper, 0o755) // as with inputs, whatever the umask
	}
	a.work.tree, err = a.place.blobs.Tree(ctx, a.job.Inputs, cas.TreeOptions{Origin: a.origin(), Near: a.series()})
	if err != nil {
		return err
	}
	if a.copied {
		if a.work.upper, err = a.folder.Place(layers.BuildPlace); err != nil {
			return err
		}
		return errors.Join(os.Chmod(a.work.upper, 0o755), layers.CopyStack(a.work.tree, a.work.upper))
	}
	private, err := a.folder.Private("build")
	if err != nil {
		return fmt.Errorf("make a private layer: %w", err)
	}
	a.work.upper, a.work.work = private.Upper, private.Work
	return nil
}

// series names the trees of one root and selection: the next one is likely to
// be near the last.
func (a *attempt) series() string {
	return strings.Join(append([]string{a.job.Action.Root}, a.job.Action.Inputs...), "\x00")
}

// fewQuestions is how many files are looked for one by one: a map of a large
// tree takes longer to make than that.
const fewQuestions = 8

// origin finds scanned files by their digest. A tree that is laid out already
// asks for none, one that is near another for a few.
func (a *attempt) origin() cas.Origin {
	inputs := a.job.Inputs
	paths := sync.OnceValue(func() map[digest.Digest]string {
		byDigest := make(map[digest.Digest]string, inputs.Stats.Files)
		for entry := range inputs.Entries() {
			if entry.Kind == digest.KindFile {
				byDigest[entry.Digest] = entry.Path
			}
		}
		return byDigest
	})
	var asked atomic.Int32
	return func(d digest.Digest) (path string, ok bool) {
		if asked.Add(1) > fewQuestions {
			path, ok = paths()[d]
		} else {
			path, ok = inputs.PathOf(d)
		}
		return filepath.Join(a.job.Action.Root, path), ok
	}
}

// mounts returns where the workspace and the caches appear.
func (a *attempt) mounts() (overlays []sandbox.Overlay, binds []sandbox.Bind) {
	if a.copied || len(a.work.tree) == 0 {
		binds = append(binds, sandbox.Bind{Source: a.work.upper, Target: sandbox.WorkDir, Writable: true})
	} else {
		overlays = append(overlays, sandbox.Overlay{
			Target: sandbox.WorkDir, Lowers: a.work.tree.Lowers(), Upper: a.work.upper, Work: a.work.work,
		})
	}
	for _, c := range a.checkouts {
		target := filepath.Join(sandbox.WorkDir, c.cache.Path.String())
		if c.Copied() {
			binds = append(binds, sandbox.Bind{Source: c.Upper(), Target: target, Writable: true})
			continue
		}
		overlays = append(overlays, sandbox.Overlay{Target: target, Lowers: c.Lowers(), Upper: c.Upper(), Work: c.Work()})
	}
	return overlays, binds
}
