package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// TreeRow is one tree that is laid out in the store.
type TreeRow struct {
	// Hash is of the root of the tree, Function the name of what made it.
	Hash, Function string
	// Base is the hash of the whole tree that a delta lies on, "" for a whole
	// tree.
	Base string
	// Entries counts files, directories, links and whiteouts of the layer; Bytes
	// is the sum of the sizes of its files. These are links to blobs, which other
	// trees share: removing the tree frees them only when they have no other name.
	Entries, Bytes int64
	// LastUse is when a run last noted that it uses the tree or, for a whole
	// tree, a delta on it. It is the zero time for what no run can use any more.
	LastUse time.Time

	folder string
}

// Trees lists the trees of the store under every digest function, in the order
// in which they should go: the longest unused first, and a delta before its
// base. It takes no locks; what another process removes meanwhile is left out.
func (s *Store) Trees() ([]TreeRow, error) {
	functions, err := os.ReadDir(s.treesFolder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list trees: %w", err)
	}
	var rows []TreeRow
	for _, function := range functions {
		folders, err := os.ReadDir(filepath.Join(s.treesFolder(), function.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list trees: %w", err)
		}
		var some []TreeRow
		for _, folder := range folders {
			if row, ok := s.treeRow(function.Name(), folder.Name()); ok {
				some = append(some, row)
			}
		}
		rows = append(rows, tieDeltas(some)...)
	}
	slices.SortStableFunc(rows, func(a, b TreeRow) int { return a.LastUse.Compare(b.LastUse) })
	return rows, nil
}

func (s *Store) treeRow(function, name string) (TreeRow, bool) {
	row := TreeRow{Function: function, folder: filepath.Join(s.treesFolder(), function, name)}
	row.Hash, _, _ = strings.Cut(name, ".")
	used, err := caches.LastUsed(row.folder)
	if err != nil {
		return row, false
	}
	record, err := s.readTree(row.folder)
	if err != nil {
		return row, true // of no use to anybody
	}
	row.Base, _, _ = strings.Cut(record.Base, "/")
	row.Entries, row.Bytes, row.LastUse = record.Entries, record.Bytes, used
	return row, true
}

// tieDeltas puts the deltas of one digest function before the whole trees, lets
// no base be older than what lies on it, and takes a delta without its base for
// the oldest.
func tieDeltas(rows []TreeRow) []TreeRow {
	slices.SortStableFunc(rows, func(a, b TreeRow) int { return strings.Compare(b.Base, a.Base) })
	bases := map[string]*TreeRow{}
	for i := range rows {
		if rows[i].Base == "" && !rows[i].LastUse.IsZero() {
			bases[rows[i].Hash] = &rows[i]
		}
	}
	for i := range rows {
		if rows[i].Base == "" {
			continue
		}
		base, ok := bases[rows[i].Base]
		if !ok {
			rows[i].LastUse = time.Time{}
		} else if base.LastUse.Before(rows[i].LastUse) {
			base.LastUse = rows[i].LastUse
		}
	}
	return rows
}

// TreeLimits bound the trees of a store. Zero fields are no limit.
type TreeLimits struct {
	// Trees is how many may stay, whole ones and deltas.
	Trees int
	// Entries is how many files, directories and links may stay in them.
	Entries int64
	// UsedSince lets those go that were last used before it; a time to come lets
	// all of them go.
	UsedSince time.Time
}

// Excess returns those of rows, in the order of [Store.Trees], that have to go
// for the rest to keep within the limits.
func (l TreeLimits) Excess(rows []TreeRow) []TreeRow {
	var entries int64
	for _, row := range rows {
		entries += row.Entries
	}
	for i, row := range rows {
		over := l.Trees > 0 && len(rows)-i > l.Trees || l.Entries > 0 && entries > l.Entries
		if !over && !row.LastUse.Before(l.UsedSince) {
			return rows[:i]
		}
		entries -= row.Entries
	}
	return rows
}

// TreeRemoval says what [Store.DropTrees] did.
type TreeRemoval struct {
	Removed []TreeRow
	InUse   []TreeRow // perhaps used by a run, so they stayed
}

// DropTrees removes trees until the rest keep within the limits, the longest
// unused first, but only those that were last used before unused, which
// [caches.Layout.NextEpoch] gave. So it waits for no run and takes nothing from
// one. A run that needs a tree again lays it out again. A crash leaves trash,
// and at worst a delta without its base, which counts as missing.
func (s *Store) DropTrees(ctx context.Context, limits TreeLimits, unused time.Time) (TreeRemoval, error) {
	rows, err := s.Trees()
	if err != nil {
		return TreeRemoval{}, err
	}
	var removal TreeRemoval
	var failed []error
	for _, row := range limits.Excess(rows) {
		if ctx.Err() != nil {
			return removal, fmt.Errorf("remove trees: %w", context.Cause(ctx))
		}
		gone, err := s.dropTree(row, unused)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("remove tree %s: %w", row.Hash, err))
		case gone:
			removal.Removed = append(removal.Removed, row)
		default:
			removal.InUse = append(removal.InUse, row)
		}
	}
	return removal, errors.Join(failed...)
}

// dropTree reports whether the tree is gone. Only the look at its last use and
// the renaming exclude the note of a new use.
func (s *Store) dropTree(row TreeRow, unused time.Time) (gone bool, err error) {
	var trash string
	err = s.layout.Reap(func() error {
		used, err := caches.LastUsed(row.folder)
		if err == nil && used.Before(unused) {
			trash, err = layers.Trash(s.layout, row.folder)
		}
		if errors.Is(err, fs.ErrNotExist) {
			gone, err = true, nil
		}
		return err
	})
	if err != nil || trash == "" {
		return gone, err
	}
	return true, layers.RemoveTree(trash)
}
