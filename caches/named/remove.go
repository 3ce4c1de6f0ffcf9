package named

import (
	"context"
	"fmt"

	"larder/caches"
	"larder/caches/layers"
)

// Removal says what a [Store.Remove] did.
type Removal struct {
	Removed []Row
	Skipped []Row // in use: leased by a run, or being published to
}

// Remove removes the caches that pattern matches, as in [Store.List]. It never
// waits for a run and never disturbs one: a cache of which any generation is
// leased is skipped. A run that checked the cache out while it was empty
// publishes to a fresh cache later. A crash leaves the cache empty, and trash.
func (s *Store) Remove(ctx context.Context, pattern string) (Removal, error) {
	rows, err := s.List(pattern)
	if err != nil {
		return Removal{}, err
	}
	var removal Removal
	removal.Removed, removal.Skipped, err = layers.RemoveEach(ctx, rows, func(row Row) error {
		i := instance{s, row.ID, row.Ref}
		if err := i.remove(); err != nil {
			return fmt.Errorf("remove %s: %w", row.Ref, err)
		}
		i.recordRemoval()
		return nil
	})
	if err != nil {
		return removal, fmt.Errorf("remove caches: %w", err)
	}
	return removal, nil
}

// remove takes every lock that anybody could hold on the cache, without
// waiting. Then the head goes first: from that moment the cache is empty, and
// whole. The folder with the locks goes last, so that nobody publishes before
// the layers are gone.
func (i instance) remove() error {
	locks, err := i.lockAll()
	var trash []string
	if err == nil {
		trash, err = i.vanish()
	}
	for _, lock := range locks {
		lock.Close()
	}
	i.empty(trash)
	return err
}

// vanish moves a cache out of sight. Its locks are held.
func (i instance) vanish() (trash []string, err error) {
	if err := caches.Replace(i.path(headFile), i.path(goneFile)); err != nil && !missing(err) {
		return nil, fmt.Errorf("remove the head: %w", err)
	}
	for _, path := range []string{i.layers(), i.folder()} {
		gone, err := layers.Trash(i.store.layout, path)
		if err != nil {
			return trash, err
		}
		if gone != "" {
			trash = append(trash, gone)
		}
	}
	return trash, nil
}

// lockAll takes the lock of the instance first: with it, no generation can come
// up while the others are taken.
func (i instance) lockAll() (locks []*layers.Lock, err error) {
	first, err := layers.TryMake(i.path(lockFile))
	if err != nil {
		return nil, err
	}
	locks = append(locks, first)
	paths := []string{i.path(useFile)}
	ids, err := i.manifests()
	if err != nil {
		return locks, err
	}
	for _, id := range ids {
		paths = append(paths, i.manifest(id))
	}
	for _, path := range paths {
		lock, err := layers.TryAcquire(path)
		if missing(err) {
			continue
		}
		if err != nil {
			return locks, err
		}
		locks = append(locks, lock)
	}
	return locks, nil
}
