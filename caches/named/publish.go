package named

import (
	"context"
	"fmt"
	"slices"

	"larder/caches"
	"larder/caches/layers"
)

// Publish ends the checkout and makes what its private layer changed part of a
// new generation. Nothing may write to the private layer any more. It takes
// time in proportion to the private layer, not to the cache; a copy takes time
// in proportion to the whole.
//
// When it fails, the outcome is [Failed] and the head is what it was: that is
// to be reported, and never fails the action. A crash at any moment leaves the
// old head or the new one, whole. A live cache has nothing to publish: its
// outcome is always [Published], with no generation and no counts.
func (c *Checkout) Publish(ctx context.Context, options PublishOptions) (outcome Outcome, err error) {
	if !c.end() {
		return Outcome{}, fmt.Errorf("publish %s: %w", c.in.ref, ErrEnded)
	}
	defer c.release()
	defer func() { c.recordEnd("publish", outcome, err) }()
	if c.in.ref.Live {
		return c.left(), nil
	}
	outcome = c.outcome(Unchanged)
	if err := c.publish(ctx, options, &outcome); err != nil {
		outcome.Result = Failed
		outcome.Added, outcome.Changed, outcome.Removed = 0, 0, 0
		return outcome, fmt.Errorf("publish %s: %w", c.in.ref, err)
	}
	return outcome, nil
}

func (c *Checkout) publish(ctx context.Context, options PublishOptions, outcome *Outcome) error {
	if err := c.base.unreadable(); err != nil {
		return err // what it started from is not what is there
	}
	found, err := c.changes()
	if err != nil {
		return err
	}
	d := c.sort(outcome, found.Changes, options)
	if err := d.apply(c.private.Upper); err != nil {
		return err
	}
	d.layer.Entries, d.layer.Bytes = found.Entries, found.Bytes
	if !d.count() {
		return nil
	}
	lock, err := c.in.lock(ctx)
	if err != nil {
		return err
	}
	trash, err := c.publishLocked(options, d)
	lock.Close()
	if options.Listed || err != nil {
		c.in.empty(trash) // which takes the longer, the more was merged before
	}
	return err
}

// changes lists what the private layer changes on its base. A copy becomes a
// private layer in overlay form first.
func (c *Checkout) changes() (layers.Found, error) {
	if c.in.store.layout.Shared() {
		if err := layers.MakePublic(c.private.Upper); err != nil {
			return layers.Found{}, err
		}
	}
	if !c.copied {
		return layers.Changes(c.private.Upper, c.base.stack, c.closeness())
	}
	private, err := c.run.Private(c.in.ref.Name.String())
	if err != nil {
		return layers.Found{}, err
	}
	found, err := layers.Compare(c.base.stack, c.private.Upper, private.Upper, c.closeness())
	c.private = private
	return found, err
}

// closeness is by time where any change is kept, so that no file that was written
// has to be read.
func (c *Checkout) closeness() layers.Closeness {
	if c.in.ref.Mode == caches.Mutable {
		return layers.ByTime
	}
	return layers.ByContent
}

// sort applies the rules of the cache's mode.
func (c *Checkout) sort(outcome *Outcome, changes []layers.Change, options PublishOptions) *delta {
	if c.in.ref.Mode == caches.Mutable {
		return newDelta(outcome, changes, anything)
	}
	d := newDelta(outcome, changes, addOnly)
	if options.Unit != "" {
		d.wholeUnits(options.Unit, outcome.paths())
	}
	return d
}

func (o *Outcome) paths() []string {
	paths := slices.Clone(o.Conflicts)
	for _, violation := range o.Violations {
		paths = append(paths, violation.Path)
	}
	return paths
}

// publishLocked swaps the head. It returns what is to be deleted once the lock
// is released.
func (c *Checkout) publishLocked(options PublishOptions, d *delta) (trash []string, err error) {
	head := c.in.load()
	if err := head.unreadable(); err != nil {
		return nil, err
	}
	stack, err := c.place(head, options, d)
	if err != nil || d.outcome.Result == Unchanged || d.outcome.Result == Discarded {
		d.outcome.After = head.manifest.ID
		return nil, err
	}
	layer, err := c.commit(d)
	if err != nil {
		return nil, err
	}
	if (options.Listed || isSmall(layer)) && !c.in.listOne(layer) {
		layer.Stamp = 0 // what is to be listed may get links, see [PublishOptions]
	}
	next := manifest{Parent: head.manifest.ID, How: string(d.outcome.Result), Keep: options.Keep}
	next, err = c.in.swap(next, append(slices.Clip(stack), layer))
	if err != nil {
		return []string{layer.Path, layer.SumPath()}, err
	}
	d.outcome.After, c.bytes = next.ID, layer.Bytes
	return c.in.collect(next), nil
}

// commit makes the private layer a layer of the store. It is counted only when
// what was found in it is not all that it holds now.
func (c *Checkout) commit(d *delta) (layers.Layer, error) {
	if !d.whole {
		layer, err := layers.Commit(c.private.Upper, c.in.layers())
		return layers.Stamped(layer), err
	}
	d.layer.ID, d.layer.Path = layers.NewID(), c.private.Upper
	layer, err := layers.Place(d.layer, c.in.layers())
	return layers.Stamped(layer), err
}

// isSmall reports whether a publish can list a layer and stay fast: from then on
// no damage to it goes unnoticed. Before, what writes to it does not.
func isSmall(layer layers.Layer) bool { return layer.Entries <= 64 && layer.Bytes <= 1<<20 }

// listOne writes the listing of a layer. That it fails is no harm: a [Tender], or
// a look at the contents, writes it later.
func (i instance) listOne(layer layers.Layer) (isListed bool) {
	listed, err := layers.WriteSum(context.Background(), i.store.layout, layer)
	if err != nil {
		i.store.journal.Warn("layer-not-listed", "cache", i.ref.String(), "layer", layer.ID, "problem", err.Error())
		return false
	}
	i.noteChanged(layer, listed)
	return true
}

// noteChanged writes down what somebody wrote to before it was listed, a line for a
// layer.
func (i instance) noteChanged(layer layers.Layer, listed layers.Listed) {
	if n := len(listed.Changed); n > 0 {
		i.store.journal.Warn("layer-changed", "cache", i.ref.String(), "layer", layer.ID, "paths", n, "first", listed.Changed[0].Path)
	}
}

// place decides which stack the private layer goes on, and sets the result.
func (c *Checkout) place(head state, options PublishOptions, d *delta) (layers.Stack, error) {
	switch {
	case head.manifest.content() == c.base.manifest.content():
		d.outcome.Result = Published
		return head.stack, nil
	case c.in.ref.Mode == caches.AppendOnly:
		return head.stack, c.rebaseAdditions(head, options, d)
	case options.OnConflict == caches.ConflictDiscard:
		d.outcome.Result = Discarded
		return nil, nil
	case options.OnConflict == caches.ConflictMerge:
		conflicts, err := layers.Rebase(c.private.Upper, d.kept, c.base.stack, head.stack)
		if err != nil {
			return nil, err
		}
		if len(conflicts) == 0 {
			d.outcome.Result = Merged
			return head.stack, nil
		}
		d.outcome.Conflicts = conflicts
	}
	d.outcome.Result = Replaced
	return c.base.stack, c.in.check(c.base.manifest).problem
}

// rebaseAdditions drops from the private layer what others added since the
// checkout: equal content is a duplicate, other content a conflict in which the
// first writer stays.
func (c *Checkout) rebaseAdditions(head state, options PublishOptions, d *delta) error {
	found, err := layers.Changes(c.private.Upper, head.stack, layers.ByContent)
	if err != nil {
		return err
	}
	d.whole = false
	again := &delta{outcome: d.outcome}
	again.report = func(change layers.Change, kind string) {
		if change.Kind != layers.Directory || kind != "mode" {
			d.outcome.Conflicts = append(d.outcome.Conflicts, change.Path)
		}
	}
	again.sort(found.Changes, addOnly)
	if options.Unit != "" {
		again.wholeUnits(options.Unit, d.outcome.Conflicts)
	}
	if err := again.apply(c.private.Upper); err != nil {
		return err
	}
	if again.count() {
		d.outcome.Result = Merged
	}
	return nil
}
