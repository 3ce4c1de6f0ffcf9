package named

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// ErrNoGeneration says that a cache has no such generation, or none at all.
var ErrNoGeneration = errors.New("no such generation")

// Generation describes one generation. Entries and Bytes are sums over its
// layers, so what one layer replaces or hides in another counts twice.
type Generation struct {
	ID      string
	SameAs  string // the generation that it is another form of, or ""
	Parent  string // "" for the first, or when the parent is not known
	How     string // published, merged, replaced, rolled-back, imported or flattened
	Created time.Time
	Layers  layers.Stack // bottom first
	Entries int64
	Bytes   int64
	// Durable says that the generation was seen on the disk: a power cut does
	// not cost it.
	Durable bool
}

func (i instance) generation(m manifest) Generation {
	g := Generation{ID: m.ID, SameAs: m.SameAs, Parent: m.Parent, How: m.How, Created: m.Created, Layers: m.stack(i.layers()), Durable: i.marked(m.ID)}
	for _, layer := range g.Layers {
		g.Entries += layer.Entries
		g.Bytes += layer.Bytes
	}
	return g
}

// History lists the generations of a cache that can be rolled back to, the head
// first. It is empty for a cache that does not exist; a damaged cache is an
// error.
func (s *Store) History(ref caches.Ref) ([]Generation, error) {
	i := s.instance(ref)
	head := i.load()
	if head.problem != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, head.problem)
	}
	if head.manifest.ID == "" {
		return nil, nil
	}
	var generations []Generation
	for _, m := range i.history(head.manifest, all) {
		generations = append(generations, i.generation(m))
	}
	return generations, nil
}

// Rollback makes an earlier generation the content of the cache again, as a new
// generation, so that the step can itself be rolled back. The generation is
// named by its id, by an id that it is another form of, or by the beginning of
// one. Runs that have checked the cache out go on undisturbed.
func (s *Store) Rollback(ctx context.Context, ref caches.Ref, generation string) (Generation, error) {
	i := s.instance(ref)
	if head := i.load(); head.manifest.ID == "" {
		return Generation{}, fmt.Errorf("roll back %s: the cache is empty: %w", ref, errors.Join(ErrNoGeneration, head.problem))
	}
	lock, err := i.lock(ctx)
	if err != nil {
		return Generation{}, fmt.Errorf("roll back: %w", err)
	}
	defer lock.Close()
	done, err := i.rollback(generation)
	if err != nil {
		return Generation{}, fmt.Errorf("roll back %s to %s: %w", ref, generation, err)
	}
	s.journal.Log("rollback", "cache", ref.String(), "to", generation, "generation", done.ID)
	return i.generation(done), nil
}

func (i instance) rollback(generation string) (manifest, error) {
	head := i.load()
	if head.manifest.ID == "" {
		return manifest{}, errors.Join(ErrNoGeneration, head.problem)
	}
	target, err := find(i.history(head.manifest, all), generation)
	if err != nil {
		return manifest{}, err
	}
	at := i.check(target)
	if at.problem != nil {
		return manifest{}, at.problem
	}
	return i.swap(manifest{Parent: head.manifest.ID, SameAs: target.content(), How: howRolledBack, Keep: head.manifest.Keep}, at.stack)
}

// find looks a generation up by the beginning of its id, or of the id that it
// is a form of.
func find(history []manifest, name string) (manifest, error) {
	var found manifest
	for _, m := range history {
		if name == "" || !strings.HasPrefix(m.ID, name) && !strings.HasPrefix(m.content(), name) {
			continue
		}
		if found.ID != "" && found.content() != m.content() {
			return manifest{}, fmt.Errorf("%q fits several generations, give more of it: %w", name, ErrNoGeneration)
		}
		if found.ID == "" {
			found = m
		}
	}
	if found.ID == "" {
		return manifest{}, fmt.Errorf("%q is not in the history: %w", name, ErrNoGeneration)
	}
	return found, nil
}
