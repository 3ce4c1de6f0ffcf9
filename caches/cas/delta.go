package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"larder/caches"
	"larder/digest"
)

// errNoDelta says that a tree has to be laid out whole.
var errNoDelta = errors.New("no delta")

// smallPart is the share of the base that a delta may have: one in so many
// entries. A larger one would be cheap to make as well, but each look at a
// directory of it costs a look at two, and the next edits would only add to it.
const smallPart = 5

// makeDelta lays the tree out as a layer on the last whole tree of its series.
// A delta never lies on another one, so a tree has two layers at most.
func (s *Store) makeDelta(ctx context.Context, tree *digest.Tree, options TreeOptions) error {
	base, err := s.findBase(options.Near)
	if err != nil {
		return err
	}
	final := s.treePath(tree.Root, delta)
	if _, err := os.Lstat(final); err == nil {
		// It was just made by another, and is found next; or it is of no use,
		// and is left for a prune.
		_, err = s.findDelta(tree.Root)
		return noDelta(err)
	}
	both := made{tree, s}
	changes, err := planDelta(ctx, both, base, tree.Root)
	if err != nil {
		return err
	}
	if err := s.addChanged(ctx, tree, changes); err != nil {
		return err
	}
	record := treeRecord{Root: tree.Root.String(), Base: base.base.String()}
	return s.makeTree(ctx, final, record, options.Origin, func(f *filler) error {
		return f.apply(changes)
	})
}

// findBase finds the whole tree that the series was last laid out on.
func (s *Store) findBase(near string) (laid, error) {
	root := s.lastBase(near)
	if root.IsZero() {
		return laid{}, errNoDelta
	}
	base, err := s.findWhole(root)
	return base, noDelta(err)
}

// noDelta says that what is missing of another tree is no obstacle.
func noDelta(err error) error {
	for _, harmless := range []error{fs.ErrNotExist, ErrMissing, ErrCorrupt, digest.ErrTree} {
		if errors.Is(err, harmless) {
			return fmt.Errorf("%w: %w", errNoDelta, err)
		}
	}
	return err
}

// planDelta lists what differs between the base and the tree. What cannot be
// read of the base, and a list that gets too long, is errNoDelta.
func planDelta(ctx context.Context, src digest.Source, base laid, root digest.Digest) ([]digest.Change, error) {
	most := int(base.stack[0].Entries / smallPart)
	var changes []digest.Change
	err := digest.Diff(ctx, src, base.base, root, func(change digest.Change) error {
		if changes = append(changes, change); len(changes) > most {
			return errNoDelta
		}
		if change.After.Kind != digest.KindDirectory && change.Before.Kind == digest.KindDirectory {
			return fs.SkipDir // one entry hides all of it
		}
		return nil
	})
	return changes, noDelta(err)
}

// apply makes the layer that turns the base into the tree.
func (f *filler) apply(changes []digest.Change) error {
	for _, change := range changes {
		if change.After.Kind != 0 {
			if err := f.put(change.Path, change.After); err != nil {
				return err
			}
			continue
		}
		if err := f.hide(change.Path); err != nil {
			return fmt.Errorf("%w: %w", errNoDelta, err)
		}
	}
	return nil
}

// addChanged stores the messages of the directories that the base lacks. Those
// that it shares were stored for it.
func (s *Store) addChanged(ctx context.Context, tree *digest.Tree, changes []digest.Change) error {
	changed := digest.Directories{}
	add := func(directory digest.Digest) {
		if message, err := tree.Blob(ctx, directory); err == nil {
			changed[directory] = message
		}
	}
	add(tree.Root)
	for _, change := range changes {
		if change.After.Kind == digest.KindDirectory {
			add(change.After.Digest)
		}
	}
	return s.AddDirectories(ctx, changed)
}

// made reads directories that were just made, and otherwise stored ones.
type made struct {
	tree  *digest.Tree
	store *Store
}

// Blob returns the content that d names.
func (m made) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	if data, err := m.tree.Blob(ctx, d); err == nil {
		return data, nil
	}
	return m.store.Blob(ctx, d)
}

// lastBase is the root of the whole tree that a series was last laid out on, or
// zero. It is advice: losing it costs a whole tree.
func (s *Store) lastBase(near string) digest.Digest {
	if near == "" {
		return digest.Digest{}
	}
	text, err := caches.ReadFile(s.seriesFile(near))
	if err != nil {
		return digest.Digest{}
	}
	root, err := digest.Parse(s.fn, strings.TrimSpace(string(text)))
	if err != nil {
		return digest.Digest{}
	}
	return root
}

// remember makes root the base of the series.
func (s *Store) remember(near string, root digest.Digest) {
	if near != "" && s.lastBase(near) != root {
		_ = s.layout.WriteFile(s.seriesFile(near), []byte(root.String()+"\n"), 0o644)
	}
}

func (s *Store) seriesFile(near string) string {
	name := digest.Of(digest.BLAKE3, []byte(near)).Hash()[:32]
	return filepath.Join(s.layout.Index(), "trees-"+s.fn.String()+"-"+name+s.layout.Owner())
}
