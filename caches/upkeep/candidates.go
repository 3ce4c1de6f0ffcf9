package upkeep

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/caches/payload"
)

// timeSlack is more than the clock of a file system's time stamps can be behind,
// which is one tick of the kernel: at most 10 ms.
const timeSlack = 50 * time.Millisecond

// leftovers lists what died with its process: run folders whose lock is free,
// temporary files from before the oldest process that lives, trash, and layers
// that no cache names.
func (p *pruning) leftovers() []candidate {
	var found []candidate
	for _, path := range p.list(p.layout.Runs()) {
		if isDead(path) {
			found = append(found, p.plain(Temporary, path, p.sweepRuns(path)))
		}
	}
	for _, path := range p.list(p.layout.Temp()) {
		var stat unix.Stat_t
		if unix.Lstat(path, &stat) != nil {
			continue
		}
		changed := time.Unix(stat.Ctim.Unix())
		if layers.IsTrash(path) || changed.Before(p.unused.Add(-timeSlack)) {
			found = append(found, p.plain(Temporary, path, func() error { return layers.RemoveTree(path) }))
		}
	}
	if !p.dry {
		p.problem(p.layout.Payloads(), p.payloads.Sweep())
	}
	half := p.halfRemoved()
	found = append(found, half...)
	for _, spare := range p.named.Spares(named.KeepAll) {
		if slices.ContainsFunc(half, func(c candidate) bool { return c.cache.ID == spare.ID }) {
			continue // all of it goes
		}
		found = append(found, p.spare(spare, named.KeepAll, "leftovers of cache "+spare.ID))
	}
	return found
}

// halfRemoved lists the caches whose removal did not come to its end. One that is
// still being removed is left to who does.
func (p *pruning) halfRemoved() []candidate {
	return slices.DeleteFunc(p.caches(), func(c candidate) bool { return c.cache.Status != named.Removing })
}

// isDead reports whether nobody holds the lock of a run folder.
func isDead(run string) bool {
	lock, err := layers.TryAcquire(filepath.Join(run, "lock"))
	lock.Close()
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// sweepRuns removes all dead run folders with the first that is asked for.
func (p *pruning) sweepRuns(path string) func() error {
	return func() error {
		_, err := layers.Sweep(p.layout)
		if _, there := os.Lstat(path); there == nil && err == nil {
			return errInUse // it had just been made
		}
		return err
	}
}

// list gives the paths of what is in a folder.
func (p *pruning) list(folder string) []string {
	entries, err := os.ReadDir(folder)
	p.problem(folder, err)
	paths := make([]string, len(entries))
	for i, entry := range entries {
		paths[i] = filepath.Join(folder, entry.Name())
	}
	return paths
}

// plain is a candidate that is one path, named by its place in the store.
func (p *pruning) plain(kind Kind, path string, remove func() error) candidate {
	c := candidate{paths: []string{path}, remove: remove}
	c.Kind = kind
	c.Name, _ = filepath.Rel(p.layout.Root(), path)
	if info, err := os.Lstat(path); err == nil {
		c.Used = info.ModTime()
	}
	return c
}

// oldFormats lists the parts of the store that are of another version.
func (p *pruning) oldFormats() []candidate {
	var found []candidate
	for _, path := range p.list(p.layout.Root()) {
		info, err := os.Lstat(path)
		if err == nil && info.IsDir() && IsOldFormat(filepath.Base(path)) {
			found = append(found, p.plain(OldFormats, path, func() error { return layers.Discard(p.layout, path) }))
		}
	}
	return found
}

// IsOldFormat reports whether a folder of the store with this name is a part in
// the format of another version. Whatever else a user may have put there is not.
func IsOldFormat(name string) bool {
	part, version, isPart := strings.Cut(name, "-v")
	return isPart && part != "" && version != "" && strings.Trim(version, "0123456789") == "" &&
		!slices.Contains(caches.KnownFolders(), name)
}

// idle lists the folders of this user that wait for runs to come.
func (p *pruning) idle() []candidate {
	var found []candidate
	for _, path := range p.list(p.layout.Idle()) {
		if !strings.HasSuffix(path, p.layout.Owner()) {
			continue
		}
		found = append(found, p.plain(Temporary, path, func() error { return layers.Discard(p.layout, path) }))
	}
	return found
}

// spares lists the generations that are kept for a rollback only.
func (p *pruning) spares() []candidate {
	var found []candidate
	names := p.names()
	for _, spare := range p.named.Spares(1) {
		found = append(found, p.spare(spare, 1, "earlier generations of "+names[spare.ID]))
	}
	return found
}

func (p *pruning) spare(spare named.Spare, keep int, name string) candidate {
	return candidate{
		Item:  Item{Kind: Caches, Name: name, Used: spare.LastUsed},
		paths: spare.Paths,
		remove: func() error {
			_, err := p.named.Trim(spare.ID, keep)
			return err
		},
	}
}

func (p *pruning) names() map[string]string {
	rows, err := p.named.List("")
	p.problem(p.layout.Named(), err)
	names := map[string]string{}
	for _, row := range rows {
		names[row.ID] = cacheName(row)
	}
	return names
}

func cacheName(row named.Row) string {
	if row.Ref == (caches.Ref{}) {
		return row.ID
	}
	return row.Ref.String()
}

// caches lists the named caches, those that are in use too.
func (p *pruning) caches() []candidate {
	rows, err := p.named.List("")
	p.problem(p.layout.Named(), err)
	var found []candidate
	for _, row := range rows {
		found = append(found, candidate{
			Item:   Item{Kind: Caches, Name: cacheName(row), Used: row.LastUsed},
			cache:  row,
			paths:  []string{filepath.Join(p.layout.Layers(), row.ID), filepath.Join(p.layout.Named(), row.ID)},
			remove: func() error { return p.removeCache(row.ID) },
		})
	}
	return found
}

// freeCaches lists those that nobody uses.
func (p *pruning) freeCaches() []candidate {
	return slices.DeleteFunc(p.caches(), func(c candidate) bool {
		if c.cache.Status == named.InUse {
			p.report.InUse++
		}
		return c.cache.Status == named.InUse
	})
}

func (p *pruning) removeCache(id string) error {
	removal, err := p.named.Remove(context.WithoutCancel(p.ctx), id)
	return whyKept(len(removal.Removed), len(removal.Skipped), err)
}

// whyKept is nil when the one thing that was to be removed was.
func whyKept(removed, skipped int, err error) error {
	switch {
	case err != nil:
		return err
	case skipped > 0:
		return errInUse
	case removed == 0:
		return fs.ErrNotExist
	}
	return nil
}

// copies lists the local copies of payloads.
func (p *pruning) copies() []candidate {
	rows, err := p.payloads.List("")
	p.problem(p.layout.Payloads(), err)
	var found []candidate
	for _, row := range rows {
		if row.Status == payload.InUse || row.Status == payload.Copying {
			p.report.InUse++
			continue
		}
		found = append(found, candidate{
			Item:   Item{Kind: Payloads, Name: cmp.Or(row.Path, row.ID), Used: row.LastUsed},
			paths:  []string{filepath.Join(p.layout.Payloads(), row.ID)},
			remove: func() error { return p.removeCopy(row.ID) },
		})
	}
	return found
}

func (p *pruning) removeCopy(id string) error {
	removal, err := p.payloads.Remove(context.WithoutCancel(p.ctx), id)
	return whyKept(len(removal.Removed), len(removal.Skipped), err)
}

// indexes lists the stat indexes, which are advice.
func (p *pruning) indexes() []candidate {
	var found []candidate
	for _, path := range p.list(p.layout.Index()) {
		found = append(found, p.plain(Indexes, path, func() error { return os.Remove(path) }))
	}
	return found
}
