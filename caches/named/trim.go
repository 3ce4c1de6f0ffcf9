package named

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder/caches/layers"
)

// KeepAll as the number of generations to [Store.Trim] keeps the whole history.
const KeepAll = all

// Spare is what a cache holds and can do without.
type Spare struct {
	ID string // of the cache
	// Generations are the ids of the manifests that may go.
	Generations []string
	// Paths are where they are: manifests, and the layers that only those name,
	// or none, with the listings beside them.
	Paths []string
	// LastUsed is when the latest of the generations was checked out or made.
	LastUsed time.Time
}

// Spares lists what [Store.Trim] would remove from each cache, those without a
// head among them: a crash can leave layers for a cache that was never made.
// Caches that are being published to, or that are damaged, are left out.
func (s *Store) Spares(keep int) []Spare {
	var spares []Spare
	for _, id := range s.instances() {
		spare, err := instance{store: s, id: id}.spare(keep)
		if err == nil && len(spare.Paths) > 0 {
			spares = append(spares, spare)
		}
	}
	return spares
}

// instances lists the folders of caches, also of those that have only layers.
func (s *Store) instances() []string {
	var ids []string
	for _, folder := range []string{s.layout.Named(), s.layout.Layers()} {
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if len(entry.Name()) == 32 && strings.Trim(entry.Name(), "0123456789abcdef") == "" {
				ids = append(ids, entry.Name())
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (i instance) spare(keep int) (Spare, error) {
	lock, err := i.tryLock()
	if err != nil {
		return Spare{}, err
	}
	defer lock.Close()
	return i.without(keep, i.isFree)
}

// isFree reports whether nobody has leased a generation.
func (i instance) isFree(id string) bool {
	lease, err := layers.TryAcquire(i.manifest(id))
	lease.Close()
	return err == nil
}

// taker takes a generation if it can, and reports whether it did.
type taker func(id string) bool

// without takes each generation that is not among the newest keep ones of the
// history, and says what then nobody needs. The lock of the instance is held. A
// damaged head is for others to repair, and a generation that is not taken and
// cannot be read may name any layer.
func (i instance) without(keep int, take taker) (Spare, error) {
	spare := Spare{ID: i.id}
	head := i.load()
	if head.problem != nil {
		return spare, head.problem
	}
	remaining := i.staying(head.manifest, keep)
	ids, err := i.manifests()
	if err != nil {
		return spare, err
	}
	for _, id := range ids {
		if slices.ContainsFunc(remaining, func(m manifest) bool { return m.ID == id }) {
			continue
		}
		info, err := os.Stat(i.manifest(id))
		if take(id) {
			spare.Generations = append(spare.Generations, id)
			spare.Paths = append(spare.Paths, i.manifest(id))
			if err == nil && info.ModTime().After(spare.LastUsed) {
				spare.LastUsed = info.ModTime()
			}
			continue
		}
		leased, err := i.read(id)
		if err != nil {
			return spare, err
		}
		remaining = append(remaining, leased)
	}
	spare.Paths = append(spare.Paths, i.unnamed(remaining)...)
	return spare, nil
}

// unnamed lists the layers that none of these generations names.
func (i instance) unnamed(remaining []manifest) []string {
	named := map[string]bool{}
	for _, m := range remaining {
		for _, layer := range m.Layers {
			named[layer.ID] = true
		}
	}
	entries, _ := os.ReadDir(i.layers())
	var paths []string
	for _, entry := range entries {
		if id := layerOf(entry.Name()); !named[id] && validID(id) {
			paths = append(paths, filepath.Join(i.layers(), entry.Name()))
		}
	}
	return paths
}

// tryLock takes the lock of the instance without waiting. A cache that has only
// layers gets its folder first.
func (i instance) tryLock() (*layers.Lock, error) {
	lock, err := layers.TryMake(i.path(lockFile))
	if missing(err) {
		if err := os.MkdirAll(i.path(generationsFolder), 0o755); err != nil {
			return nil, err
		}
		lock, err = layers.TryMake(i.path(lockFile))
	}
	return lock, err
}

// Trim removes from the cache with this id all generations but the newest keep
// ones and the last durable one, with the layers that only they name. It never waits for a run and never
// disturbs one: what is leased stays, and a cache that is being published to is
// left alone, with an error that wraps [layers.ErrLocked]. A crash leaves the
// cache whole, and trash.
func (s *Store) Trim(id string, keep int) (Spare, error) {
	i := instance{store: s, id: id}
	lock, err := i.tryLock()
	if err != nil {
		return Spare{}, fmt.Errorf("trim cache %s: %w", id, err)
	}
	done, trash, err := i.trim(keep)
	lock.Close()
	i.empty(trash)
	if err != nil {
		return done, fmt.Errorf("trim cache %s: %w", id, err)
	}
	return done, nil
}

// trim does the work under the lock. Manifests go before the layers that they
// name, so that nobody can check them out without those.
func (i instance) trim(keep int) (done Spare, trash []string, err error) {
	head := i.load().manifest
	stay := i.staying(head, keep)
	unwritten := i.forgo(head, stay)
	done, err = i.without(keep, i.drop)
	if unwritten != nil { // on a full disk there is more room now; at worst a verify misses what was dropped
		_ = i.forgo(head, stay)
	}
	if err != nil {
		return done, nil, err
	}
	i.dropMarks()
	for _, path := range done.Paths[len(done.Generations):] {
		gone, err := layers.Trash(i.store.layout, path)
		if err != nil {
			return done, trash, err
		}
		if gone != "" {
			trash = append(trash, gone)
		}
	}
	return done, trash, nil
}
