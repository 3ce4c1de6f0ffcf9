package named

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// Depth says how closely a cache is looked at.
type Depth uint8

const (
	// Shape looks at every name, and reads manifests only.
	Shape Depth = iota
	// Contents reads every file and compares it with the listing of its layer. A
	// layer that has none yet gets it, as it is now, and is reported as unlisted.
	Contents
)

// Flaw is something of a cache that is not as it was written.
type Flaw struct {
	Path    string // absolute
	Problem string
	// Layer is the id of the layer that it is in; "" for a flaw of a manifest.
	Layer string
	// Read says that it could not be read, which need not be for ever.
	Read bool
	// Unlisted says that nothing was known of the content of the layer at the path, so
	// that no damage to it could be told. It is listed now, as it is.
	Unlisted bool
	// Listing says that the path is the listing of a layer. It is no part of the
	// cache: without it, the next look at the contents writes another.
	Listing bool
}

// commitSlack is how much later than its manifest a file of a layer may have
// been changed.
const commitSlack = 2 * time.Second

// Verify looks over the cache with this id and reports every flaw; it goes on
// after each. It waits for nobody and holds nobody up: what a publish removes
// meanwhile is no flaw. An error means that ctx ended.
func (s *Store) Verify(ctx context.Context, id string, depth Depth, report func(Flaw)) error {
	i := instance{store: s, id: id}
	i.verifyNames(report)
	i.verifyHistory(report)
	seen := map[string]bool{}
	for _, generation := range i.generations() {
		m, err := i.read(generation)
		if missing(err) {
			continue
		}
		if err != nil {
			report(Flaw{Path: i.manifest(generation), Problem: err.Error(), Read: !errors.Is(err, layers.ErrDamaged)})
			continue
		}
		for _, layer := range m.stack(i.layers()) {
			if seen[layer.ID] {
				continue
			}
			seen[layer.ID] = true
			i.verifyLayer(ctx, layer, m, depth, report)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// verifyNames looks over what says which cache it is and which generation is the
// newest.
func (i instance) verifyNames(report func(Flaw)) {
	data, err := caches.ReadFile(i.path(refFile))
	if err == nil {
		if i.ref, err = parseRef(data); err == nil && i.ref.ID() != i.id {
			err = fmt.Errorf("it describes %s, which has another place: %w", i.ref, layers.ErrDamaged)
		}
	}
	if err != nil && (!missing(err) || len(i.generations()) > 0) {
		report(Flaw{Path: i.path(refFile), Problem: err.Error(), Read: !errors.Is(err, layers.ErrDamaged) && !missing(err)})
	}
	if err := i.verifyHead(); err != nil {
		report(Flaw{Path: i.path(headFile), Problem: err.Error(), Read: !errors.Is(err, layers.ErrDamaged)})
	}
}

func (i instance) verifyHead() error {
	id, err := i.readHead()
	switch {
	case err != nil:
		return err
	case id == "" && i.hadHead():
		return fmt.Errorf("it is missing, and there are generations: %w", layers.ErrDamaged)
	case id == "":
		return nil
	}
	if _, err = os.Lstat(i.manifest(id)); !missing(err) {
		return err
	}
	if again, _ := i.readHead(); again != id {
		return nil // it has moved on
	}
	return fmt.Errorf("it names generation %s, which is missing: %w", id, layers.ErrDamaged)
}

// hadHead reports whether there must have been a head. The first publish of a
// cache writes the manifest first, and a crash then leaves it at that; but only
// what was the head gets a successor or, being seen by a Tender, a mark. A crash
// of a removal leaves what shows that it had begun.
func (i instance) hadHead() bool {
	if _, err := os.Lstat(i.path(goneFile)); !missing(err) {
		return false
	}
	for _, id := range i.generations() {
		m, err := i.read(id)
		if err == nil && i.survived(m) && (m.Parent != "" || i.marked(id)) {
			again, err := i.readHead()
			return again == "" && err == nil
		}
	}
	return false
}

// verifyLayer looks over one layer that a manifest names. Flaws of one whose
// manifest was dropped meanwhile are none.
func (i instance) verifyLayer(ctx context.Context, layer layers.Layer, m manifest, depth Depth, report func(Flaw)) {
	var flaws []Flaw
	add := func(flaw Flaw) {
		flaw.Layer = layer.ID
		flaws = append(flaws, flaw)
	}
	err := layer.Verify()
	switch {
	case err != nil:
		add(Flaw{Path: layer.Path, Problem: err.Error(), Read: !errors.Is(err, layers.ErrDamaged)})
	case depth == Contents:
		i.verifyContents(ctx, layer, m, add)
	}
	if _, err := os.Lstat(i.manifest(m.ID)); len(flaws) == 0 || missing(err) || ctx.Err() != nil {
		return
	}
	for _, flaw := range flaws {
		report(flaw)
	}
}

func (i instance) verifyContents(ctx context.Context, layer layers.Layer, m manifest, add func(Flaw)) {
	var differ []Flaw
	err := layers.CheckSum(ctx, layer, func(flaw layers.Flaw) {
		differ = append(differ, Flaw{Path: filepath.Join(layer.Path, flaw.Path), Problem: flaw.Problem})
	})
	switch {
	case errors.Is(err, layers.ErrDamaged):
		// What differs from it says nothing then.
		add(Flaw{Path: layer.SumPath(), Problem: err.Error(), Listing: true})
		return
	case errors.Is(err, fs.ErrNotExist) && layer.Present():
		if i.listNow(ctx, layer, m, add) == layers.Known {
			i.verifyContents(ctx, layer, m, add)
		}
		return
	case err != nil && ctx.Err() == nil:
		add(Flaw{Path: layer.SumPath(), Problem: err.Error(), Read: true})
	}
	for _, flaw := range differ {
		add(flaw)
	}
}

// listNow writes the listing of a layer that has none. Without a stamp it is the
// layer as it is now.
func (i instance) listNow(ctx context.Context, layer layers.Layer, m manifest, add func(Flaw)) layers.Standing {
	if layer.Stamp == 0 {
		if changed := changedSince(layer.Path, m.Created.Add(commitSlack)); changed != "" {
			add(Flaw{Path: changed, Problem: "it has no listing, and was changed after the layer was made"})
			return layers.AsFound
		}
	}
	listed, err := layers.WriteSum(ctx, i.store.layout, layer)
	switch {
	case err != nil && !missing(err):
		add(Flaw{Path: layer.Path, Problem: err.Error(), Read: true})
	case listed.Standing == layers.AsFound:
		add(Flaw{Path: layer.Path, Problem: unlisted, Unlisted: true})
	}
	for _, flaw := range listed.Changed {
		add(Flaw{Path: filepath.Join(layer.Path, flaw.Path), Problem: flaw.Problem})
	}
	return listed.Standing
}

const unlisted = "nothing was known of its content, so damage to it cannot be told; it is listed now, as it is"

// changedSince finds a file that was changed between at and now. A tool can give
// its files any time; one that lies ahead says nothing.
func changedSince(folder string, at time.Time) (found string) {
	now := time.Now()
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(at) && info.ModTime().Before(now) {
			found = path
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// Damaged is the ids of layers that are damaged.
type Damaged map[string]bool

// Repair makes a cache usable again of which manifests, or the layers in broken,
// are damaged: the newest generation that is whole becomes the head, and those
// that are not are removed. Without a whole one the cache is removed, and counts
// as empty. It says in words what it did. It never waits: a cache that is being
// published to is an error that wraps [layers.ErrLocked]. A run that has a
// damaged generation checked out keeps it.
func (s *Store) Repair(ctx context.Context, id string, broken Damaged) (string, error) {
	i := instance{store: s, id: id}
	lock, err := i.tryLock()
	if err != nil {
		return "", fmt.Errorf("repair cache %s: %w", id, err)
	}
	done, trash, err := i.repair(broken)
	lock.Close()
	i.empty(trash)
	if err == nil && done == "" {
		done = "the cache was removed: no generation of it is whole"
		err = s.removeID(ctx, id)
	}
	if err != nil {
		return "", fmt.Errorf("repair cache %s: %w", id, err)
	}
	return done, nil
}

func (s *Store) removeID(ctx context.Context, id string) error {
	removal, err := s.Remove(ctx, id)
	if err == nil && len(removal.Skipped) > 0 {
		return layers.ErrLocked
	}
	return err
}

// repair works under the lock of the instance; "" says that nothing is whole.
func (i instance) repair(broken Damaged) (done string, trash []string, err error) {
	data, err := caches.ReadFile(i.path(refFile))
	if err == nil {
		i.ref, err = parseRef(data)
	}
	if err != nil {
		return "", nil, nil // nobody finds a cache that does not say which it is
	}
	sound := i.soundGenerations(broken)
	if len(sound) == 0 {
		return "", nil, nil
	}
	head, done := sound[0], "the damaged generations were removed"
	for _, m := range sound {
		if id, err := i.readHead(); err == nil && id == m.ID {
			head = m
		}
	}
	if id, err := i.readHead(); err != nil || id != head.ID {
		if err := i.store.layout.WriteFile(i.path(headFile), []byte(head.ID+"\n"), 0o644); err != nil {
			return "", nil, err
		}
		done = "the newest generation that is whole, " + head.ID + ", is the head again"
	}
	if err := i.forgo(head, sound); err != nil {
		return "", nil, err
	}
	for _, id := range i.generations() {
		if !slices.ContainsFunc(sound, func(m manifest) bool { return m.ID == id }) {
			i.drop(id)
		}
	}
	i.dropMarks()
	return done, i.dropLayers(i.stillThere()), nil
}

// soundGenerations lists the generations that are whole, the newest first.
func (i instance) soundGenerations(broken Damaged) (sound []manifest) {
	for _, id := range i.generations() {
		m, err := i.read(id)
		if err != nil || i.check(m).problem != nil || !i.survived(m) {
			continue
		}
		if !slices.ContainsFunc(m.Layers, func(l layerRecord) bool { return broken[l.ID] }) {
			sound = append(sound, m)
		}
	}
	slices.SortFunc(sound, func(a, b manifest) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return sound
}

// stillThere lists the generations that have a manifest, those that somebody has
// leased among them.
func (i instance) stillThere() (there []manifest) {
	for _, id := range i.generations() {
		if m, err := i.read(id); err == nil {
			there = append(there, m)
		}
	}
	return there
}

// IDs lists the caches of the store, those that are damaged among them.
func (s *Store) IDs() []string { return s.instances() }
