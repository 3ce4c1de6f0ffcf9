package named

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// ErrEnded says that a checkout was published or discarded already.
var ErrEnded = errors.New("the checkout has ended already")

// CheckoutOptions say how to check a cache out. The zero value is for overlayfs.
type CheckoutOptions struct {
	// Copy makes a full private copy, for file systems without overlay mounts.
	Copy bool
	// Alone waits until no other checkout with Alone holds the cache, and keeps
	// others waiting until this one ends. This is what lock=true means.
	Alone bool
	// Waits is called when Alone has waited for a second, and then every few
	// seconds, with the id of the process that holds the cache, or 0 when that
	// cannot be told. It may be nil, and is not called any more once Checkout has
	// returned.
	Waits func(holder int)
}

// patience is how long a checkout waits for others before it says so, and
// lookAgain how long until it looks again for whom.
const (
	patience  = time.Second
	lookAgain = 3 * time.Second
)

// Checkout is a lease on one generation of a cache and a fresh private layer.
// The generation stays as it is until Publish, Discard or Close. A Checkout
// belongs to one action; its methods are not for concurrent use. A crash
// releases the lease and publishes nothing.
type Checkout struct {
	in      instance
	base    state
	copied  bool
	private layers.Private
	run     *layers.Run
	lower   []string
	lease   *layers.Lock
	alone   *layers.Lock
	warning error
	ended   atomic.Bool
	bytes   int64 // that a publish added
}

// Checkout leases the head of a cache and makes a private layer in run. It
// takes the same time whatever the size of the cache, unless options say Copy.
// A cache that does not exist is empty; one that is damaged is empty too, and
// [Checkout.Warning] says why. For a live cache (see [caches.Ref]) there is no
// generation and no private layer: Upper is the directory that all share. An error means that the store cannot be used, or
// that ctx ended while waiting.
func (s *Store) Checkout(ctx context.Context, ref caches.Ref, run *layers.Run, options CheckoutOptions) (*Checkout, error) {
	c := &Checkout{in: s.instance(ref), copied: options.Copy, run: run}
	if err := c.prepare(ctx, options); err != nil {
		c.release()
		return nil, fmt.Errorf("check out %s: %w", ref, err)
	}
	c.recordCheckout()
	return c, nil
}

func (c *Checkout) prepare(ctx context.Context, options CheckoutOptions) (err error) {
	if c.in.ref.Live {
		return c.prepareLive(ctx)
	}
	if options.Alone {
		if c.alone, err = c.in.lockAlone(ctx, options.Waits); err != nil {
			return err
		}
	}
	if c.base, c.lease, err = c.in.leaseHead(ctx); err != nil {
		return err
	}
	if c.base.lost != nil {
		c.in.store.journal.Warn("fall-back", "cache", c.in.ref.String(), "generation", c.Generation(), "problem", c.base.lost)
	}
	if c.warning = c.base.problem; c.warning != nil {
		c.in.store.journal.Warn("damaged", "cache", c.in.ref.String(), "problem", c.warning)
	}
	if c.private, err = c.run.Private(c.in.ref.Name.String()); err != nil {
		return err
	}
	if c.in.store.layout.Shared() && !c.base.stack.Owned() {
		c.copied = true
	}
	if c.copied {
		return layers.CopyStack(c.base.stack, c.private.Upper)
	}
	return c.mountable()
}

// lockAlone waits in the kernel, so it goes on the moment the holder lets go or
// dies.
func (i instance) lockAlone(ctx context.Context, waits func(holder int)) (*layers.Lock, error) {
	over, quiet := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(quiet)
		for pause := patience; waits != nil; pause = lookAgain {
			select {
			case <-time.After(pause):
				waits(layers.Holder(i.path(useFile)))
			case <-over:
				return
			}
		}
	}()
	lock, err := i.lockNamed(ctx, useFile)
	close(over)
	<-quiet
	return lock, err
}

// mountable lists the lower directories. An empty cache has the store's empty
// directory below its private layer: bound raw, the private layer would let a
// process forge the marks of overlayfs.
func (c *Checkout) mountable() error {
	c.lower = c.base.stack.Lowers()
	if len(c.lower) > 0 {
		return nil
	}
	empty, err := c.in.store.empty()
	c.lower = []string{empty}
	return err
}

func (i instance) lease(ctx context.Context, id string) (*layers.Lock, error) {
	ctx, cancel := i.store.waiting(ctx)
	defer cancel()
	return layers.Lease(ctx, i.manifest(id))
}

// leaseHead reads the head and takes a shared lease on it; when the generation
// was dropped in between, it reads the head again. When somebody keeps it from
// the lease, the cache counts as empty.
func (i instance) leaseHead(ctx context.Context) (state, *layers.Lock, error) {
	for {
		head := i.load()
		if head.manifest.ID == "" {
			return head, nil, nil
		}
		lease, err := i.lease(ctx, head.manifest.ID)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, layers.ErrLocked) && ctx.Err() == nil {
			return state{problem: err}, nil, nil
		}
		if err != nil {
			return state{}, nil, err
		}
		now := time.Now()
		os.Chtimes(i.manifest(head.manifest.ID), now, now) // last used, for List
		return head, lease, nil
	}
}

// Lowers lists the directories that lie under the private layer, topmost
// first, which is the order that overlayfs takes them in. It is nil for a copy.
func (c *Checkout) Lowers() []string { return c.lower }

// Upper is the directory that takes what the process writes. For a copy it is
// a plain directory with everything in it.
func (c *Checkout) Upper() string { return c.private.Upper }

// Work is the directory that overlayfs wants for itself, on the file system of
// Upper.
func (c *Checkout) Work() string { return c.private.Work }

// Copied reports whether Upper is a plain directory with everything in it: a
// full private copy, or what a live cache shares.
func (c *Checkout) Copied() bool { return c.copied }

// Stack is what was checked out, for looking at it without a mount. It is
// valid until the checkout ends.
func (c *Checkout) Stack() layers.Stack { return c.base.stack }

// Generation is the id of the generation that was checked out, "" when the
// cache was empty.
func (c *Checkout) Generation() string { return c.base.manifest.ID }

// Warning says why a cache that exists counts as empty, or is nil.
func (c *Checkout) Warning() error { return c.warning }

// Settle is for who is about to make links to the files of what was checked out:
// its layers get their listings first, see [layers.Settle].
func (c *Checkout) Settle(ctx context.Context) error {
	if err := layers.Settle(ctx, c.in.store.layout, c.base.stack, c.in.noteChanged); err != nil {
		return fmt.Errorf("list %s: %w", c.in.ref, err)
	}
	return nil
}

// Discard ends the checkout and publishes nothing. What the process wrote goes
// when the run is closed.
func (c *Checkout) Discard() (Outcome, error) { return c.drop(Discarded) }

// GiveUp is a discard of what should have been published and cannot be, because
// the store takes nothing: it counts as [Failed].
func (c *Checkout) GiveUp() (Outcome, error) { return c.drop(Failed) }

func (c *Checkout) drop(result Result) (Outcome, error) {
	if !c.end() {
		return Outcome{}, fmt.Errorf("discard %s: %w", c.in.ref, ErrEnded)
	}
	defer c.release()
	outcome := c.outcome(result)
	if c.in.ref.Live && result == Discarded {
		outcome = c.left()
	}
	c.recordEnd("discard", outcome, nil)
	return outcome, nil
}

// Close ends the checkout, by a discard unless it has ended. It may be called
// more than once.
func (c *Checkout) Close() {
	_, _ = c.Discard()
}

func (c *Checkout) end() bool { return c.ended.CompareAndSwap(false, true) }

func (c *Checkout) release() {
	c.lease.Close()
	c.alone.Close()
}

// outcome is a result for which the head was not touched.
func (c *Checkout) outcome(result Result) Outcome {
	id := c.base.manifest.ID
	return Outcome{Result: result, Before: id, After: id}
}
