package cas

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

// TreeRow is one tree that is laid out in the store.
type TreeRow struct {
	// Root is the digest of the tree; it is zero for a folder that is damaged or
	// of another version, which no run can use.
	Root digest.Digest
	// Base is the root of the whole tree that a delta lies on, zero for a whole
	// tree.
	Base digest.Digest
	// Path is the folder that holds the tree, with all that goes with it.
	Path string
	// LastUse is when a run last noted that it uses the tree or, for a whole
	// tree, a delta on it. It is the zero time for what no run can use any more.
	LastUse time.Time
}

// Trees lists the trees that are laid out, in the order in which they should go:
// the longest unused first, and a delta before its base. It takes no locks and
// notes no use; what another process removes meanwhile is left out.
//
// Whoever removes one does so as [caches.Layout.Reap] says. Its files are links
// to blobs, and take room as long as the tree or the blob is there.
func (s *Store) Trees() ([]TreeRow, error) {
	folder := filepath.Join(s.treesFolder(), s.fn.String())
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list trees: %w", err)
	}
	var rows []TreeRow
	for _, entry := range entries {
		if row, ok := s.treeRow(filepath.Join(folder, entry.Name())); ok {
			rows = append(rows, row)
		}
	}
	tieDeltas(rows)
	slices.SortStableFunc(rows, func(a, b TreeRow) int { return a.LastUse.Compare(b.LastUse) })
	return rows, nil
}

// treeRow reports false for a folder that is gone.
func (s *Store) treeRow(folder string) (TreeRow, bool) {
	row := TreeRow{Path: folder}
	used, err := caches.LastUsed(folder)
	if err != nil {
		return row, false
	}
	record, err := s.readTree(folder)
	if err != nil {
		return row, true
	}
	if record.Base != "" {
		if row.Base, err = digest.Parse(s.fn, record.Base); err != nil {
			return row, true
		}
	}
	if row.Root, err = digest.Parse(s.fn, record.Root); err == nil {
		row.LastUse = used
	}
	return row, true
}

// tieDeltas makes a base younger than all that lies on it, and takes a delta
// without its base for the oldest.
func tieDeltas(rows []TreeRow) {
	bases := map[digest.Digest]*TreeRow{}
	for i := range rows {
		if rows[i].Base.IsZero() {
			bases[rows[i].Root] = &rows[i]
		}
	}
	for i := range rows {
		upper := &rows[i]
		if upper.Base.IsZero() {
			continue
		}
		base, ok := bases[upper.Base]
		if !ok {
			upper.LastUse = time.Time{}
		} else if !base.LastUse.After(upper.LastUse) {
			base.LastUse = upper.LastUse.Add(1)
		}
	}
}

// Stack is the layers of a tree, bottom first, for looking at them: they may go
// at any time.
func (r TreeRow) Stack() layers.Stack {
	layer := func(folder string) layers.Layer {
		return layers.Layer{ID: filepath.Base(folder), Path: filepath.Join(folder, layerFolder)}
	}
	if r.Base.IsZero() {
		return layers.Stack{layer(r.Path)}
	}
	return layers.Stack{layer(filepath.Join(filepath.Dir(r.Path), r.Base.Hash()+string(whole))), layer(r.Path)}
}
