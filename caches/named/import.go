package named

import (
	"cmp"
	"context"
	"fmt"

	"larder/caches"
	"larder/caches/layers"
)

// Import makes what fill puts into an empty private directory the whole content
// of a cache, as a new generation. The one before stays its parent, so that the
// step can be rolled back. fill may take long: nobody waits for it, and nothing
// is visible until it has returned without an error and the head is swapped. The
// directory must hold what [Checkout.Publish] would leave: no special files, and
// modes that can be published. Runs that have checked the cache out go on
// undisturbed. A crash leaves the old head or the new one, and at most a run
// folder and a layer that later uses remove.
func (s *Store) Import(ctx context.Context, ref caches.Ref, fill func(dir string) error) (Generation, error) {
	if ref.Live {
		return Generation{}, fmt.Errorf("%w import: %s is one directory for all at once and has no generations", caches.ErrInvalid, ref)
	}
	run, err := layers.NewRun(s.layout)
	if err != nil {
		return Generation{}, fmt.Errorf("import %s: %w", ref, err)
	}
	defer run.Close()
	layer, err := filled(run, fill)
	if err != nil {
		return Generation{}, fmt.Errorf("import %s: %w", ref, err)
	}
	i := s.instance(ref)
	lock, err := i.lock(ctx)
	if err != nil {
		return Generation{}, fmt.Errorf("import: %w", err)
	}
	made, trash, err := i.adopt(layer)
	lock.Close()
	i.empty(trash)
	if err != nil {
		return Generation{}, fmt.Errorf("import %s: %w", ref, err)
	}
	i.listOne(made.stack(i.layers())[0])
	s.journal.Log("import", "cache", ref.String(), "generation", made.ID, "bytes", layer.Bytes)
	return i.generation(made), nil
}

// filled makes a layer in the folder of the run.
func filled(run *layers.Run, fill func(dir string) error) (layers.Layer, error) {
	dir, err := run.Dir("import")
	if err == nil {
		err = fill(dir)
	}
	if err != nil {
		return layers.Layer{}, err
	}
	return layers.Commit(dir, run.Path())
}

// adopt makes a finished layer the only one of a new head. The generation
// before stays even where one generation is kept.
func (i instance) adopt(layer layers.Layer) (made manifest, trash []string, err error) {
	head := i.load()
	if layer, err = layers.Place(layer, i.layers()); err != nil {
		return manifest{}, nil, err
	}
	layer = layers.Stamped(layer)
	keep := max(cmp.Or(head.manifest.Keep, caches.DefaultKeep), 2)
	made, err = i.swap(manifest{Parent: head.manifest.ID, How: howImported, Keep: keep}, layers.Stack{layer})
	if err != nil {
		return manifest{}, []string{layer.Path}, err
	}
	return made, i.collect(made), nil
}
