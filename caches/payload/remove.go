package payload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"larder/caches"
	"larder/caches/layers"
)

// Removal says what a [Store.Remove] did.
type Removal struct {
	Removed []Row
	Skipped []Row // leased by a run, or being copied or removed
}

// Remove removes the copies that pattern matches, as in [Store.List], and what
// is left of those that never came to be. It never waits for a run or a copy and
// never disturbs one: those are skipped. After a crash the copy is gone or there
// as a whole.
func (s *Store) Remove(ctx context.Context, pattern string) (Removal, error) {
	rows, err := s.List(pattern)
	if err != nil {
		return Removal{}, err
	}
	var removal Removal
	removal.Removed, removal.Skipped, err = layers.RemoveEach(ctx, rows, func(row Row) error {
		if err := s.entry(row.ID).remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove payload %s: %w", row.Path, err)
		}
		s.journal.Log("payload-removed", "id", row.ID, "path", row.Path)
		return nil
	})
	if err != nil {
		return removal, fmt.Errorf("remove payloads: %w", err)
	}
	return removal, nil
}

// remove takes the copy out of sight by one rename under both locks; runs that
// come after that use the source. The deletion, which may take long, holds only
// the lock that keeps others from copying.
func (e entry) remove() error {
	lock, err := layers.TryMake(e.path(lockFile))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := layers.RemoveTree(e.path(goneFolder)); err != nil {
		return err
	}
	if err := e.vanish(); err != nil {
		return err
	}
	if err := e.clear(); err != nil {
		return err
	}
	return layers.Discard(e.store.layout, e.path())
}

func (e entry) vanish() error {
	use, err := layers.TryMake(e.path(useFile))
	if err != nil {
		return err
	}
	defer use.Close()
	if !exists(e.path(treeFolder)) {
		return nil
	}
	return caches.Replace(e.path(treeFolder), e.path(goneFolder))
}

// Sweep deletes what died with its process: copies on their way, and what was
// being removed. It takes nothing that anybody could use or wants to finish.
func (s *Store) Sweep() error {
	entries, err := os.ReadDir(s.layout.Payloads())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep the payloads: %w", err)
	}
	var failed []error
	for _, one := range entries {
		failed = append(failed, s.entry(one.Name()).sweep())
	}
	return errors.Join(failed...)
}

func (e entry) sweep() error {
	switch e.status() {
	case Stalled:
		lock, err := layers.TryAcquire(e.path(lockFile))
		if errors.Is(err, layers.ErrLocked) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer lock.Close()
		return e.clear()
	case Removing:
		if err := e.remove(); err != nil && !errors.Is(err, layers.ErrLocked) {
			return err
		}
	}
	return nil
}
