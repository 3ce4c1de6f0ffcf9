package named

import (
	"context"
	"fmt"
	"slices"

	"larder/caches"
	"larder/caches/layers"
)

const (
	// shallow is how many layers a stack may have before Compact does anything. A
	// walk of a cache pays for each layer; merging after every publish would make
	// each run pay for a new layer and a second generation.
	shallow = 5
	// overfull is how many layers make a publish wait for a merge. Nobody has
	// tended the store for long, and overlayfs takes 500 layers at most.
	overfull = 32
	// compactTries is how often Compact starts again after the layers that it
	// merged have left the head.
	compactTries = 3
)

// Compact keeps the stack of a cache shallow: once it has more than five layers
// it merges upper ones into one by hard links as [layers.PlanFlatten] says, and
// makes the result the head, with the same content. Called now and then, it costs
// O(log N) links for each entry over N publishes. Never called, it lets the stack
// grow by a layer for each publish.
//
// The work is done beside the cache: publishers and runs go on undisturbed, and
// the lock is held only while the head is swapped. When what was merged is no
// longer in the head by then, it starts again, and leaves it after three times.
// A crash leaves the old head, and what the next publish or run removes.
func (s *Store) Compact(ctx context.Context, ref caches.Ref) error {
	if err := s.instance(ref).compact(ctx); err != nil {
		return fmt.Errorf("compact %s: %w", ref, err)
	}
	return nil
}

// Relieve is for who is about to publish: it compacts a cache whose stack has
// grown beyond 32 layers because nobody did. Otherwise it only reads the head.
func (s *Store) Relieve(ctx context.Context, ref caches.Ref) error {
	if head := s.instance(ref).load(); len(head.stack) <= overfull {
		return nil
	}
	return s.Compact(ctx, ref)
}

func (i instance) compact(ctx context.Context) error {
	for range compactTries {
		head := i.load()
		from := layers.PlanFlatten(head.stack)
		if len(head.stack) <= shallow || from == len(head.stack) {
			return nil
		}
		done, err := i.mergeInto(ctx, head.stack, from)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// mergeInto merges the upper layers of a stack, from an index on, in a private
// folder, and then swaps the result in. Nothing is leased: a layer that is removed
// meanwhile may make the merge incomplete, but no head names it ever again, so
// the result is not used.
func (i instance) mergeInto(ctx context.Context, stack layers.Stack, from int) (done bool, err error) {
	run, err := layers.NewRun(i.store.layout)
	if err != nil {
		return false, err
	}
	defer run.Close()
	merged, err := i.merge(ctx, run, stack, from)
	if err != nil {
		if now := i.load(); !replaceable(now.stack, stack) {
			return false, nil
		}
		return false, err
	}
	lock, err := i.lock(ctx)
	if err != nil {
		return false, err
	}
	trash, done, err := i.swapIn(stack, from, merged)
	lock.Close()
	i.empty(trash)
	return done, err
}

// merge makes one layer of several, in the folder of the run, with its listing. It
// gets no stamp: when the layers go that it was made of, so do other names of its files.
func (i instance) merge(ctx context.Context, run *layers.Run, stack layers.Stack, from int) (layers.Layer, error) {
	dir, err := run.Dir("flatten")
	if err != nil {
		return layers.Layer{}, err
	}
	sources := stack[from:]
	if err := layers.Settle(ctx, i.store.layout, sources, i.noteChanged); err != nil {
		return layers.Layer{}, err
	}
	if err := layers.Flatten(sources, from, dir); err != nil {
		return layers.Layer{}, err
	}
	if ctx.Err() != nil {
		return layers.Layer{}, context.Cause(ctx)
	}
	merged, err := layers.Commit(dir, run.Path())
	if err != nil {
		return layers.Layer{}, err
	}
	if err := layers.MergeSums(ctx, i.store.layout, merged, sources); err != nil {
		// It is listed as it is, later.
		i.store.journal.Warn("layer-not-listed", "cache", i.ref.String(), "layer", merged.ID, "problem", err.Error())
	}
	return merged, nil
}

// swapIn puts the merged layer in the place of those that it was made from. What
// was published meanwhile stays on top of it. The caller holds the lock.
func (i instance) swapIn(stack layers.Stack, from int, merged layers.Layer) (trash []string, done bool, err error) {
	head := i.load()
	if !replaceable(head.stack, stack) {
		return nil, false, nil
	}
	merged, err = layers.PlaceListed(merged, i.layers())
	if err != nil {
		return nil, false, err
	}
	next := manifest{Parent: head.manifest.Parent, SameAs: head.manifest.content(), How: howFlattened, Keep: head.manifest.Keep}
	next, err = i.swap(next, slices.Concat(stack[:from], layers.Stack{merged}, head.stack[len(stack):]))
	if err != nil {
		return []string{merged.Path, merged.SumPath()}, false, err
	}
	i.store.journal.Log("flatten", "cache", i.ref.String(), "before", len(head.stack), "after", len(next.Layers))
	return i.collect(next), true, nil
}

// replaceable reports whether a head is a stack that was looked at before, with
// nothing but new layers on top of it.
func replaceable(head, stack layers.Stack) bool {
	return len(head) >= len(stack) && slices.Equal(head[:len(stack)], stack)
}
