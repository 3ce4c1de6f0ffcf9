package digest

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// Change is one path at which two trees differ. The Kind of a side that has
// nothing at the path is 0. Two directories differ when anything below them
// does.
type Change struct {
	Path          string
	Before, After Entry
}

// Diff calls visit for every path at which the trees before and after differ,
// in the order of [ComparePaths]: for a directory, and then for what differs
// below it, which is all of it when the other side has no directory there. When
// visit returns [fs.SkipDir] for a directory, what is below it is left out; any
// other error ends the comparison and is returned as it is.
//
// Subtrees with the same digest are not read, so the time follows what differs.
// Both trees are read from src, within the limits of [Walk].
func Diff(ctx context.Context, src Source, before, after Digest, visit func(Change) error) error {
	d := differ{reader: newReader(ctx, src), visit: visit}
	return d.directories(before, after, "", 0)
}

type differ struct {
	*reader
	visit func(Change) error
}

// directories compares two directories; a zero digest stands for none.
func (d *differ) directories(before, after Digest, path string, depth int) error {
	if before == after {
		return nil
	}
	old, err := d.read(before, path, depth)
	if err != nil {
		return err
	}
	fresh, err := d.read(after, path, depth)
	if err != nil {
		return err
	}
	for len(old) > 0 || len(fresh) > 0 {
		var change Change
		change, old, fresh = nextPair(old, fresh)
		if err := d.pair(change, depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) read(directory Digest, path string, depth int) ([]Entry, error) {
	if directory.IsZero() {
		return nil, nil
	}
	content, err := d.directory(directory, path, depth)
	return content.entries(path), err
}

// nextPair takes the first name off two sorted lists, from each that has it.
func nextPair(old, fresh []Entry) (change Change, restOld, restFresh []Entry) {
	order := 0
	switch {
	case len(old) == 0:
		order = 1
	case len(fresh) == 0:
		order = -1
	default:
		order = strings.Compare(old[0].Path, fresh[0].Path)
	}
	if order <= 0 {
		change.Path, change.Before, old = old[0].Path, old[0], old[1:]
	}
	if order >= 0 {
		change.Path, change.After, fresh = fresh[0].Path, fresh[0], fresh[1:]
	}
	return change, old, fresh
}

func (d *differ) pair(change Change, depth int) error {
	if change.Before == change.After {
		return nil
	}
	if err := d.count(); err != nil {
		return err
	}
	before, after := directoryOf(change.Before), directoryOf(change.After)
	err := d.visit(change)
	if errors.Is(err, fs.SkipDir) && before != after {
		return nil
	}
	if err != nil {
		return err
	}
	return d.directories(before, after, change.Path, depth+1)
}

// directoryOf is the digest of a directory, and zero for anything else.
func directoryOf(e Entry) Digest {
	if e.Kind == KindDirectory {
		return e.Digest
	}
	return Digest{}
}
