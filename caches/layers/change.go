package layers

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ChangeKind says what a private layer does to one path of the stack below it.
type ChangeKind uint8

const (
	// Added says that the stack has nothing at the path.
	Added ChangeKind = iota + 1
	// Modified says that the content differs, and perhaps the mode too.
	Modified
	// Truncated says that the content is the beginning of what it was.
	Truncated
	// Removed says that the path is gone, with all below it.
	Removed
	// Replaced says that another kind of file took the place.
	Replaced
	// ModeChanged says that the content is the same and the mode is not.
	ModeChanged
	// Touched says that content and mode are the same, and a plain file's
	// modification time is not: it was written again.
	Touched
	// Identical says that nothing differs: the path was copied up, or a
	// directory is there for what is in it.
	Identical
	// Forbidden says that the entry is a FIFO, a socket or a device.
	Forbidden
)

// String returns the name of the kind in lower case.
func (k ChangeKind) String() string {
	names := [...]string{"", "added", "modified", "truncated", "removed", "replaced", "mode", "touched", "identical", "special"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Change is one path that a private layer touches.
type Change struct {
	Entry            // as it is in the private layer; a removal has its path only
	What  ChangeKind // what it does to the stack
	// Opaque says that the directory was deleted and made again: nothing of
	// the stack shows through it. What it removes is listed path by path.
	Opaque bool
	// Hidden says that the path is in such a directory, so that dropping it
	// from the private layer does not bring back the stack's.
	Hidden bool
	// Below is what the stack has at the path, nil for nothing.
	Below *Entry
}

// Changes lists what the private layer at upper changes on the stack, parents
// before what is in them, names in byte order. It walks upper and looks at the
// stack only where upper has something; in an opaque directory it lists what
// the stack has there too. It reads files only to compare those of equal size.
//
// It changes two things in upper: modes that must not be published (see
// presentable), and forged marks of overlayfs are removed. No process may write
// to upper meanwhile.
func Changes(upper string, stack Stack) ([]Change, error) {
	below, err := stack.root()
	if err != nil {
		return nil, fmt.Errorf("read the stack: %w", err)
	}
	top := node{Entry: Entry{Path: ".", Kind: Directory, Real: upper}}
	if err := prepareRoot(upper); err != nil {
		return nil, err
	}
	dir, err := openDir(upper)
	if err != nil {
		return nil, fmt.Errorf("read a private layer: %w", err)
	}
	top.dirs = []realDir{dir}
	d := differ{}
	if err := d.directory(top, below, false); err != nil {
		return nil, fmt.Errorf("compare a private layer: %w", err)
	}
	return d.changes, nil
}

// differ collects changes.
type differ struct {
	comparer
	changes []Change
}

// directory lists the changes in one directory of the upper layer. hidden says
// that it or a parent of it is opaque, so that nothing shows through.
func (d *differ) directory(upper, below node, hidden bool) error {
	names, err := upper.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := d.name(upper, below, name, hidden); err != nil {
			return err
		}
	}
	if !hidden {
		return nil
	}
	return d.vanished(below, names)
}

// vanished lists what the stack has in a directory that was made again.
func (d *differ) vanished(below node, names []string) error {
	kept := make(map[string]bool, len(names))
	for _, name := range names {
		kept[name] = true
	}
	children, err := below.children()
	for i := range children {
		if child := &children[i]; !kept[lastName(child.Path)] {
			d.removed(child)
		}
	}
	return err
}

func (d *differ) removed(below *node) {
	d.changes = append(d.changes, Change{What: Removed, Below: &below.Entry, Hidden: true,
		Entry: Entry{Path: below.Path, Kind: Whiteout}})
}

// longestPath leaves room for what a path becomes in a layer, in a merged layer
// and in the trash: a path that only just fits in a private layer could be
// published, but not be merged or removed.
const longestPath = unix.PathMax - 128

// name records what the upper layer does to one name, and descends.
func (d *differ) name(upper, below node, name string, hidden bool) error {
	if path := join(upper.dirs[0].path, name); len(path) > longestPath {
		return fmt.Errorf("a path that begins with %.40s: with %d bytes it is too long for the store; shorten it, or move the store up: %w",
			upper.Path, len(path), unix.ENAMETOOLONG)
	}
	at, err := inspect(upper.dirs[0], name)
	if err != nil {
		return err
	}
	at.Path = join(upper.Path, name)
	under, exists, err := below.child(name)
	if err != nil {
		return err
	}
	change := Change{Hidden: hidden}
	if exists {
		change.Below = &under.Entry
	}
	if err := d.open(&at, under.Kind); err != nil {
		return err
	}
	if change.What, err = d.what(at, under, exists); err != nil {
		return err
	}
	change.Entry = at.Entry
	change.Opaque = at.Kind == Directory && at.dirs[0].opaque == 'y'
	d.changes = append(d.changes, change)
	if at.Kind != Directory {
		return nil
	}
	return d.directory(at, under, hidden || change.Opaque)
}

// open makes an entry of the upper layer fit to be looked into. Overlayfs marks
// new directories opaque to save itself a look below. Where the stack has no
// directory the mark says nothing, and it would hide what others add there, so
// it goes.
func (d *differ) open(at *node, under Kind) error {
	if at.Kind != File && at.Kind != Directory {
		return nil
	}
	if err := presentable(at); err != nil {
		return err
	}
	if at.Kind == File {
		return stripMarks(at.Real, "origin", "uuid")
	}
	if err := stripMarks(at.Real, opaqueName, "origin", "uuid", "impure"); err != nil {
		return err
	}
	dir, err := openDir(at.Real)
	if err == nil && dir.opaque == 'y' && under != Directory {
		dir.opaque, err = 0, clearOpaque(at.Real)
	}
	at.dirs = []realDir{dir}
	return err
}

func (d *differ) what(at, under node, exists bool) (ChangeKind, error) {
	switch {
	case at.Kind == Special:
		return Forbidden, nil
	case at.Kind == Whiteout && exists:
		return Removed, nil
	case at.Kind == Whiteout:
		return Identical, nil
	case !exists:
		return Added, nil
	}
	return d.entries(at, under)
}

// prepareRoot makes the root of a private layer an ordinary directory: its mode
// and marks are not content.
func prepareRoot(upper string) error {
	at, err := inspect(realDir{path: parentOf(upper)}, lastName(upper))
	if err != nil {
		return fmt.Errorf("read a private layer: %w", err)
	}
	if at.Kind != Directory {
		return fmt.Errorf("private layer %s is not a directory: %w", upper, ErrDamaged)
	}
	if err := chmodPath(upper, 0o755, at.Mode); err != nil {
		return fmt.Errorf("open a private layer: %w", err)
	}
	if mark, err := opaqueMark(upper); err != nil || mark == 'y' {
		return errors.Join(err, clearOpaque(upper))
	}
	return stripMarks(upper, opaqueName, "origin", "uuid", "impure")
}
