package named

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// Tender does for all caches of a store what no run should wait for: it merges
// layers, lists what they hold, and marks generations as durable. It remembers
// what it has seen, so looking again costs one look at each cache that has not
// changed. It is for one goroutine; several processes do no harm but work twice.
type Tender struct {
	store *Store
	seen  map[string]os.FileInfo // the head file of a cache when it was last arranged
}

// NewTender returns a Tender that has seen nothing yet.
func (s *Store) NewTender() *Tender { return &Tender{s, map[string]os.FileInfo{}} }

// Arrange compacts every cache whose head has changed since the last call, and
// writes the listings that its layers lack, see [layers.WriteSum]. It deletes what
// others have moved out of sight. It returns how many caches it has looked into. What fails is in the error, and is not tried
// again before the head changes; the other caches are arranged all the same.
func (t *Tender) Arrange(ctx context.Context) (changed int, err error) {
	var failed []error
	for _, i := range t.instances() {
		if ctx.Err() != nil {
			return changed, context.Cause(ctx)
		}
		info, err := os.Lstat(i.path(headFile))
		if err != nil || t.knows(i.id, info) {
			continue // a cache without a head is empty
		}
		t.seen[i.id] = info
		changed++
		if err := i.arrange(ctx); err != nil {
			failed = append(failed, fmt.Errorf("tend %s: %w", i.ref, err))
		}
	}
	return changed, errors.Join(append(failed, layers.EmptyTrash(ctx, t.store.layout))...)
}

// knows reports whether a head file is the one that was seen: every new head is
// a new file.
func (t *Tender) knows(id string, info os.FileInfo) bool {
	last := t.seen[id]
	return last != nil && os.SameFile(last, info) && last.ModTime().Equal(info.ModTime())
}

// instances lists the caches whose description can be read.
func (t *Tender) instances() (found []instance) {
	entries, _ := os.ReadDir(t.store.layout.Named())
	for _, entry := range entries {
		i := instance{store: t.store, id: entry.Name()}
		data, err := caches.ReadFile(i.path(refFile))
		if err != nil {
			continue
		}
		if i.ref, err = parseRef(data); err == nil {
			found = append(found, i)
		}
	}
	return found
}

func (i instance) arrange(ctx context.Context) error {
	return errors.Join(i.compact(ctx), i.list(ctx))
}

// list writes the listing of every layer that a generation names. One that goes
// away meanwhile needs none.
func (i instance) list(ctx context.Context) error {
	var failed []error
	for _, id := range i.generations() {
		m, err := i.read(id)
		if err != nil {
			continue // dropped, or damaged, which a verify tells
		}
		for _, layer := range m.stack(i.layers()) {
			listed, err := layers.WriteSum(ctx, i.store.layout, layer)
			if err != nil && layer.Present() {
				failed = append(failed, err)
			}
			i.noteChanged(layer, listed)
		}
	}
	return errors.Join(failed...)
}

// Unmarked are generations that are not known to be on the disk. It is valid for
// the Tender that made it.
type Unmarked struct{ caches []unmarked }

type unmarked struct {
	in  instance
	ids []string
}

// Len is how many generations there are.
func (u Unmarked) Len() (n int) {
	for _, one := range u.caches {
		n += len(one.ids)
	}
	return n
}

// Unmarked lists the generations of this boot that are not marked as durable.
// Ask before the store is synced, and mark afterwards.
func (t *Tender) Unmarked() (all Unmarked) {
	for _, i := range t.instances() {
		if ids := i.unmarked(); len(ids) > 0 {
			all.caches = append(all.caches, unmarked{i, ids})
		}
	}
	return all
}

// Mark marks generations as durable, and then drops those that were kept only
// because they were the last durable ones. Whatever was written to the store
// before [Tender.Unmarked] was called must be on the disk, as after
// [caches.Layout.Sync]. A crash leaves some of them marked.
func (t *Tender) Mark(u Unmarked) error {
	var failed []error
	for _, one := range u.caches {
		if err := one.in.markAll(one.ids); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", one.in.ref, err))
		}
	}
	return errors.Join(failed...)
}

func (i instance) markAll(ids []string) error {
	for _, id := range ids {
		if err := i.writeMark(id); err != nil {
			return err
		}
	}
	i.tidy()
	return nil
}

// tidy drops what the head does not need, unless somebody has the lock: then the
// next publish does it.
func (i instance) tidy() {
	lock, err := layers.TryMake(i.path(lockFile))
	if err != nil {
		return
	}
	var trash []string
	if head := i.load(); head.manifest.ID != "" && head.problem == nil {
		trash = i.collect(head.manifest)
	}
	lock.Close()
	i.empty(trash)
}

// settled is how old a generation must be before [Store.Tend] syncs the store for
// it: runs that follow each other closely wait for the disk once.
const settled = time.Minute

// Tend is for a store that no process looks after in the background. Called
// before a publish, it does for one cache what a [Tender] would have done since
// the last one: it compacts it, lists its layers, and when the head is unmarked
// and older than a minute, it syncs the store and marks the generations. The
// caller waits for the disk.
func (s *Store) Tend(ctx context.Context, ref caches.Ref) error {
	i := s.instance(ref)
	head := i.load()
	if head.manifest.ID == "" {
		return nil
	}
	if err := i.arrange(ctx); err != nil {
		return fmt.Errorf("tend %s: %w", ref, err)
	}
	ids := i.unmarked()
	if len(ids) == 0 || time.Since(head.manifest.Created) < settled {
		return nil
	}
	err := s.layout.Sync()
	if err == nil {
		err = i.markAll(ids)
	}
	if err != nil {
		return fmt.Errorf("tend %s: %w", ref, err)
	}
	return nil
}
