package payload

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"larder/caches/layers"
)

// Depth says how closely a copy is looked at.
type Depth uint8

const (
	// Shape reads the record only.
	Shape Depth = iota
	// Contents reads every file and compares it with the listing that was made
	// with the copy. A copy without one gets it, as it is now, and is reported as
	// unlisted.
	Contents
)

// Flaw is something of a copy that is not as it was written.
type Flaw struct {
	Path    string // absolute
	Problem string
	// Unlisted says that nothing was known of the content, so that no damage to it
	// could be told.
	Unlisted bool
}

// asLayer describes the copy for the functions that list a layer.
func (e entry) asLayer() layers.Layer { return layers.Layer{ID: e.id, Path: e.path(treeFolder)} }

// list writes down what the copy holds, for Verify. That it fails is no harm to
// the copy.
func (e entry) list(ctx context.Context) {
	if _, err := layers.WriteSum(ctx, e.store.layout, e.asLayer()); err != nil {
		e.store.journal.Warn("payload-not-listed", "id", e.id, "problem", err.Error())
	}
}

// Verify looks over the copy of one source and lists every flaw. It disturbs
// nobody; a copy that is removed meanwhile has none.
func (s *Store) Verify(ctx context.Context, id string, depth Depth) (flaws []Flaw) {
	e := s.entry(id)
	if row := e.row(); row.Status == Corrupt {
		return []Flaw{{Path: e.path(), Problem: row.Problem.Error()}}
	}
	if depth != Contents || !exists(e.path(treeFolder)) {
		return nil
	}
	err := layers.CheckSum(ctx, e.asLayer(), func(flaw layers.Flaw) {
		flaws = append(flaws, Flaw{Path: filepath.Join(e.path(treeFolder), flaw.Path), Problem: flaw.Problem})
	})
	switch {
	case !exists(e.path(treeFolder)) || ctx.Err() != nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		e.list(ctx)
		flaws = append(flaws, Flaw{e.path(treeFolder), "nothing was known of its content, so damage to it cannot be told; it is listed now, as it is", true})
	case err != nil:
		flaws = append(flaws, Flaw{Path: e.asLayer().SumPath(), Problem: err.Error()})
	}
	return flaws
}
