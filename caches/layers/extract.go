package layers

import (
	"fmt"
	"os"
	"slices"
)

// Extract turns a plain directory that began as a [CopyStack] of the stack into
// a private layer on it: what differs is moved into the existing empty
// directory upper, what is gone becomes a whiteout. It reads every file of dir
// that has the size of the stack's, and leaves dir in pieces. The paths of
// FIFOs, sockets and devices, which stay behind, are returned; for all else
// [Changes] tells what upper holds. Both must be on one file system.
func Extract(stack Stack, dir, upper string) (special []string, err error) {
	below, err := stack.root()
	if err != nil {
		return nil, fmt.Errorf("read the stack: %w", err)
	}
	if err := prepareRoot(dir); err != nil {
		return nil, err
	}
	x := extractor{dir: dir, upper: upper, made: map[string]bool{".": true}}
	top := node{Entry: Entry{Path: ".", Kind: Directory, Real: dir}, dirs: []realDir{{path: dir}}}
	if err := x.directory(top, below); err != nil {
		return nil, fmt.Errorf("extract a private layer: %w", err)
	}
	return x.special, x.finish()
}

// Compare lists what the plain directory dir, which began as a copy of the
// stack, changes on it, as [Changes] does for a private layer. Files that are
// the same in all but perhaps times of directories are not listed. Special
// files are listed as Forbidden. It moves what differs to upper, as [Extract].
func Compare(stack Stack, dir, upper string, how Closeness) (Found, error) {
	special, err := Extract(stack, dir, upper)
	if err != nil {
		return Found{}, err
	}
	found, err := Changes(upper, stack, how)
	for _, path := range special {
		found.Changes = append(found.Changes, Change{What: Forbidden, Entry: Entry{Path: path, Kind: Special}})
	}
	return found, err
}

// extractor moves what differs between a plain directory and a view.
type extractor struct {
	comparer
	dir, upper string
	special    []string
	made       map[string]bool // directories that exist in upper
	modes      []Entry         // what finish does, parents first
}

func (x *extractor) directory(at, below node) error {
	names, err := at.names()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := x.name(at, below, name); err != nil {
			return err
		}
	}
	children, err := below.children()
	if err != nil {
		return err
	}
	for _, child := range children {
		if _, kept := slices.BinarySearch(names, lastName(child.Path)); !kept {
			if err := x.whiteout(child.Path, at.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *extractor) name(at, below node, name string) error {
	child, err := inspect(realDir{path: at.Real}, name)
	if err != nil {
		return err
	}
	child.Path = join(at.Path, name)
	under, err := below.child(name)
	if err != nil {
		return err
	}
	switch child.Kind {
	case Special, Whiteout:
		x.special = append(x.special, child.Path)
		return nil
	case Directory:
		return x.descend(child, under)
	}
	return x.file(child, under)
}

func (x *extractor) descend(child, under node) error {
	if err := presentable(&child); err != nil {
		return err
	}
	child.dirs = []realDir{{path: child.Real}}
	x.modes = append(x.modes, child.Entry)
	if under.Kind != Directory || under.Mode != child.Mode {
		if err := x.makeDir(child.Path); err != nil {
			return err
		}
	}
	return x.directory(child, under)
}

func (x *extractor) file(child, under node) error {
	if err := presentable(&child); err != nil {
		return err
	}
	if !under.isNone() {
		what, err := x.entries(child, under)
		if err != nil || what == Identical {
			return err
		}
	}
	if child.Kind == File {
		if err := stripMarks(child.Real); err != nil {
			return err
		}
	}
	if err := x.makeDir(dirOf(child.Path)); err != nil {
		return err
	}
	return withWrite(parentOf(child.Real), func() error {
		return os.Rename(child.Real, join(x.upper, child.Path))
	})
}

func (x *extractor) whiteout(path, parent string) error {
	if err := x.makeDir(parent); err != nil {
		return err
	}
	return MakeWhiteout(join(x.upper, path))
}

// makeDir makes a directory of upper with its parents. Modes come at the end,
// because one of them may forbid writing.
func (x *extractor) makeDir(path string) error {
	if x.made[path] {
		return nil
	}
	if err := x.makeDir(dirOf(path)); err != nil {
		return err
	}
	x.made[path] = true
	return os.Mkdir(join(x.upper, path), 0o700)
}

// finish gives the directories of upper the modes and times that they had.
func (x *extractor) finish() error {
	for _, entry := range slices.Backward(x.modes) {
		if !x.made[entry.Path] {
			continue
		}
		if err := finishDir(join(x.upper, entry.Path), entry); err != nil {
			return fmt.Errorf("extract a private layer: %w", err)
		}
	}
	return nil
}

// dirOf is the parent of a relative path, "." at the top.
func dirOf(path string) string {
	if parent := parentOf(path); parent != "" {
		return parent
	}
	return "."
}
