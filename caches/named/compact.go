package named

import (
	"context"
	"fmt"
	"slices"

	"larder/caches"
	"larder/caches/layers"
)

// shallow is how many layers a stack may have before Compact does anything. A
// walk of a cache pays for each layer; merging after every publish would make
// each run pay for a new layer and a second generation.
const shallow = 5

// Compact keeps the stack of a cache shallow: once it has more than five layers
// it merges upper ones into one by hard links as [layers.PlanFlatten] says, and
// makes the result the head, with the same content. Called after each publish,
// it costs O(log N) links for each entry over N publishes. Never called, it lets the stack grow by a layer
// for each publish, and overlayfs takes 500. It waits for publishers of the same cache and
// they for it; runs go on undisturbed on the generation that they have leased.
// A crash leaves the old head, and a layer that the next publish removes.
func (s *Store) Compact(ctx context.Context, ref caches.Ref) error {
	i := s.instance(ref)
	if head := i.load(); len(head.stack) <= shallow {
		return nil
	}
	lock, err := i.lock(ctx)
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	trash, err := i.compact()
	lock.Close()
	i.empty(trash)
	if err != nil {
		return fmt.Errorf("compact %s: %w", ref, err)
	}
	return nil
}

func (i instance) compact() (trash []string, err error) {
	head := i.load()
	from := layers.PlanFlatten(head.stack)
	if len(head.stack) <= shallow || from == len(head.stack) {
		return nil, nil
	}
	run, err := layers.NewRun(i.store.layout)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	dir, err := run.Dir("flatten")
	if err != nil {
		return nil, err
	}
	if err := layers.Flatten(head.stack[from:], from, dir); err != nil {
		return nil, err
	}
	layer, err := layers.Commit(dir, i.layers())
	if err != nil {
		return nil, err
	}
	next := manifest{Parent: head.manifest.Parent, SameAs: head.manifest.content(), How: howFlattened}
	next, err = i.swap(next, append(slices.Clone(head.stack[:from]), layer))
	if err != nil {
		return []string{layer.Path}, err
	}
	i.store.journal.Log("flatten", "cache", i.ref.String(), "before", len(head.stack), "after", len(next.Layers))
	return i.collect(next, all), nil
}
