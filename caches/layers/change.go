package layers

import (
	"errors"
	"fmt"
	"slices"
	"sync"

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

// Found is what a private layer holds and does.
type Found struct {
	// Changes lists it, parents before what is in them, names in byte order.
	Changes []Change
	// Entries and Bytes are those of the private layer, as in [Layer].
	Entries int64
	Bytes   int64
}

// Changes lists what the private layer at upper changes on the stack. It walks
// upper, directories beside each other, and looks at the stack only where upper
// has something; in an opaque directory it lists what the stack has there too. It
// reads files only to compare those of which how wants to know more.
//
// It changes two things in upper: modes that must not be published (see
// presentable), and forged marks of overlayfs are removed. No process may write
// to upper meanwhile.
func Changes(upper string, stack Stack, how Closeness) (Found, error) {
	below, err := stack.root()
	if err != nil {
		return Found{}, fmt.Errorf("read the stack: %w", err)
	}
	top := node{Entry: Entry{Path: ".", Kind: Directory, Real: upper}}
	if err := prepareRoot(upper); err != nil {
		return Found{}, err
	}
	dir, err := openDir(upper)
	if err != nil {
		return Found{}, fmt.Errorf("read a private layer: %w", err)
	}
	top.dirs = []realDir{dir}
	found, err := newDiffer(how).directory(top, below, false)
	if err != nil {
		return Found{}, fmt.Errorf("compare a private layer: %w", err)
	}
	return found, nil
}

// differ finds changes. It is for any number of goroutines.
type differ struct {
	*crew
	comparers sync.Pool
}

func newDiffer(how Closeness) *differ {
	return &differ{newCrew(), sync.Pool{New: func() any { return &comparer{how: how} }}}
}

// looked is one name of the upper layer: what it does, and for a directory where
// to go on.
type looked struct {
	change    Change
	at, under node
	inside    Found
}

// How many names, and how many directories, are worth a goroutine.
const (
	namesEach       = 32
	directoriesEach = 4
)

// directory lists the changes in one directory of the upper layer. hidden says
// that it or a parent of it is opaque, so that nothing shows through. First it
// looks at all names, so that only the descriptors of one directory are open at
// a time, and then into the directories among them.
func (d *differ) directory(upper, below node, hidden bool) (Found, error) {
	names, err := upper.names()
	if err != nil {
		return Found{}, err
	}
	all, err := d.names(upper, below, names, hidden)
	if err != nil {
		return Found{}, err
	}
	var into []*looked
	for i := range all {
		if all[i].at.Kind == Directory {
			into = append(into, &all[i])
		}
	}
	err = d.spread(len(into), directoriesEach, func(n int) (err error) {
		one := into[n]
		one.inside, err = d.directory(one.at, one.under, hidden || one.change.Opaque)
		return err
	})
	if err != nil {
		return Found{}, err
	}
	found := gather(all)
	if hidden {
		err = found.vanished(below, names)
	}
	return found, err
}

func (d *differ) names(upper, below node, names []string, hidden bool) ([]looked, error) {
	upper, below = upper.opened(len(names)), below.opened(len(names))
	defer upper.close()
	defer below.close()
	all := make([]looked, len(names))
	return all, d.spread(len(names), namesEach, func(n int) error {
		all[n].change.Hidden = hidden
		return d.name(upper, below, names[n], &all[n])
	})
}

// gather puts what was found in one directory in order.
func gather(all []looked) (found Found) {
	size := len(all)
	for i := range all {
		size += len(all[i].inside.Changes)
	}
	found.Changes = make([]Change, 0, size)
	for i := range all {
		one := &all[i]
		found.Changes = append(append(found.Changes, one.change), one.inside.Changes...)
		found.Entries += 1 + one.inside.Entries
		found.Bytes += one.at.Size + one.inside.Bytes
	}
	return found
}

// vanished lists what the stack has in a directory that was made again.
func (f *Found) vanished(below node, names []string) error {
	children, err := below.children()
	for i := range children {
		child := &children[i]
		if _, kept := slices.BinarySearch(names, lastName(child.Path)); !kept {
			f.Changes = append(f.Changes, Change{What: Removed, Below: &child.Entry, Hidden: true,
				Entry: Entry{Path: child.Path, Kind: Whiteout}})
		}
	}
	return err
}

// longestPath leaves room for what a path becomes in a layer, in a merged layer
// and in the trash: a path that only just fits in a private layer could be
// published, but not be merged or removed.
const longestPath = unix.PathMax - 128

// name looks at one name of the upper layer.
func (d *differ) name(upper, below node, name string, one *looked) (err error) {
	if path := join(upper.dirs[0].path, name); len(path) > longestPath {
		return fmt.Errorf("a path that begins with %.40s: with %d bytes it is too long for the store; shorten it, or move the store up: %w",
			upper.Path, len(path), unix.ENAMETOOLONG)
	}
	if one.at, err = inspect(upper.dirs[0], name); err != nil {
		return fmt.Errorf("%s: %w", join(upper.Path, name), err)
	}
	one.at.Path = join(upper.Path, name)
	under, exists, err := below.child(name)
	if err != nil {
		return err
	}
	if one.under = under; exists {
		one.change.Below = &one.under.Entry
	}
	if err := d.open(upper.dirs[0], &one.at, under.Kind); err != nil {
		return err
	}
	if one.change.What, err = d.what(one.at, under, exists); err != nil {
		return err
	}
	one.change.Entry = one.at.Entry
	one.change.Opaque = one.at.Kind == Directory && one.at.dirs[0].opaque == 'y'
	return nil
}

// open makes an entry of the upper layer fit to be looked into. Overlayfs marks
// new directories opaque to save itself a look below. Where the stack has no
// directory the mark says nothing, and it would hide what others add there, so
// it goes.
func (d *differ) open(in realDir, at *node, under Kind) error {
	if at.Kind != File && at.Kind != Directory {
		return nil
	}
	if err := presentable(at); err != nil {
		return err
	}
	if at.Kind == Directory {
		at.dirs = []realDir{{path: at.Real}}
	}
	marks, err := in.marks(lastName(at.Path), at.Real)
	if err != nil || len(marks) == 0 {
		return err
	}
	if at.Kind == File {
		return stripMarks(at.Real, "origin", "uuid")
	}
	if err := stripMarks(at.Real, opaqueName, "origin", "uuid", "impure"); err != nil {
		return err
	}
	mark, err := opaqueMark(at.Real)
	if err == nil && mark == 'y' && under != Directory {
		mark, err = 0, clearOpaque(at.Real)
	}
	at.dirs[0].opaque = mark
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
	comparer := d.comparers.Get().(*comparer)
	defer d.comparers.Put(comparer)
	return comparer.entries(at, under)
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
