package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
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
	// Below is what the stack has at the path.
	Below Before
}

// Before is what a stack has at a path: nothing, if Kind is 0.
type Before struct {
	Kind Kind
	Mode fs.FileMode
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
// presentable), and marks of overlayfs and access control lists of directories
// that do not belong there are removed. Plain files are not searched for either:
// the kernel lets no mark through a mount, [Extract] takes away what a process
// has set without one, and a list of a file grants no more than its mode says. No
// process may write to upper meanwhile.
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
	all, err := newDiffer(upper, how).directory(&inner{upper: top, below: below})
	if err != nil {
		return Found{}, fmt.Errorf("compare a private layer: %w", err)
	}
	found := Found{Entries: all.entries, Bytes: all.bytes, Changes: make([]Change, 0, all.size())}
	all.gather(&found.Changes)
	return found, nil
}

// differ finds changes. It is for any number of goroutines.
type differ struct {
	*crew
	root      int // the length of what comes before a relative path
	how       Closeness
	comparers sync.Pool
}

func newDiffer(upper string, how Closeness) *differ {
	return &differ{newCrew(), len(upper) + 1, how, sync.Pool{New: func() any { return &comparer{how: how} }}}
}

// listed is what was found in one directory of the upper layer.
type listed struct {
	changes  []Change
	into     []inner  // the directories among them, in the same order
	vanished []Change // what the stack has besides, where the directory was made again
	entries  int64
	bytes    int64
}

// inner is a directory to look into, number at of the changes, and then what is in
// it.
type inner struct {
	at           int
	upper, below node
	isHidden     bool // it or a parent of it is opaque, so that nothing shows through
	inside       *listed
}

// How many names, and how many directories, are worth a goroutine.
const (
	namesEach       = 32
	directoriesEach = 4
)

// directory lists the changes in one directory of the upper layer. First it
// looks at all names, so that only the descriptors of one directory are open at
// a time, and then into the directories among them.
func (d *differ) directory(in *inner) (*listed, error) {
	names, err := in.upper.names()
	if err != nil {
		return nil, err
	}
	all, err := d.names(in, names)
	if err != nil {
		return nil, err
	}
	err = d.spread(len(all.into), directoriesEach, func(n int) (err error) {
		one := &all.into[n]
		one.isHidden = in.isHidden || all.changes[one.at].Opaque
		one.inside, err = d.directory(one)
		return err
	})
	if err != nil {
		return nil, err
	}
	all.count()
	if in.isHidden {
		err = all.vanish(in.below, names)
	}
	return all, err
}

// names looks at the names of one directory.
func (d *differ) names(in *inner, names []string) (*listed, error) {
	upper, below := in.upper.opened(len(names)), in.below.opened(len(names))
	defer upper.close()
	defer below.close()
	all := &listed{changes: make([]Change, len(names))}
	paths := pathsOf(upper.dirs[0].path, names)
	var mutex sync.Mutex
	err := d.spread(len(names), namesEach, func(n int) error {
		change := &all.changes[n]
		change.Hidden, change.Real, change.Path = in.isHidden, paths[n], paths[n][d.root:]
		more, err := d.name(upper.dirs[0], below, names[n], change)
		if more != nil {
			more.at = n
			mutex.Lock()
			all.into = append(all.into, *more)
			mutex.Unlock()
		}
		return err
	})
	slices.SortFunc(all.into, func(a, b inner) int { return a.at - b.at })
	return all, err
}

// pathsOf gives names of a directory their paths, in one piece of memory.
func pathsOf(dir string, names []string) []string {
	size := len(names) * (len(dir) + 1)
	for _, name := range names {
		size += len(name)
	}
	var all strings.Builder
	all.Grow(size)
	paths := make([]string, len(names))
	for i, name := range names {
		begin := all.Len()
		all.WriteString(dir)
		all.WriteByte('/')
		all.WriteString(name)
		paths[i] = all.String()[begin:]
	}
	return paths
}

// count sums up what is in the directory and below it.
func (l *listed) count() {
	l.entries = int64(len(l.changes))
	for i := range l.changes {
		l.bytes += l.changes[i].Size
	}
	for i := range l.into {
		l.entries += l.into[i].inside.entries
		l.bytes += l.into[i].inside.bytes
	}
}

// size is how many changes there are in all.
func (l *listed) size() int {
	size := len(l.changes) + len(l.vanished)
	for i := range l.into {
		size += l.into[i].inside.size()
	}
	return size
}

// gather puts what was found in order.
func (l *listed) gather(to *[]Change) {
	begin := 0
	for i := range l.into {
		end := l.into[i].at + 1
		*to = append(*to, l.changes[begin:end]...)
		l.into[i].inside.gather(to)
		begin = end
	}
	*to = append(append(*to, l.changes[begin:]...), l.vanished...)
}

// vanish lists what the stack has in a directory that was made again.
func (l *listed) vanish(below node, names []string) error {
	children, err := below.children()
	for i := range children {
		child := &children[i]
		if _, kept := slices.BinarySearch(names, lastName(child.Path)); !kept {
			l.vanished = append(l.vanished, Change{What: Removed, Below: child.before(), Hidden: true,
				Entry: Entry{Path: child.Path, Kind: Whiteout}})
		}
	}
	return err
}

func (n *node) before() Before { return Before{n.Kind, n.Mode} }

// longestPath leaves room for what a path becomes in a layer, in a merged layer
// and in the trash: a path that only just fits in a private layer could be
// published, but not be merged or removed.
const longestPath = unix.PathMax - 128

// name looks at one name of the upper layer, whose paths are known, and returns
// where to go on when it is a directory.
func (d *differ) name(upper realDir, below node, name string, change *Change) (*inner, error) {
	if len(change.Real) > longestPath {
		return nil, fmt.Errorf("a path that begins with %.40s: with %d bytes it is too long for the store; shorten it, or move the store up: %w",
			change.Path, len(change.Real), unix.ENAMETOOLONG)
	}
	seen, err := upper.glimpse(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", change.Path, err)
	}
	if seen.kind == File {
		under, in, err := below.glimpse(name)
		if err != nil {
			return nil, err
		}
		if under.kind == File || under.kind == 0 {
			return nil, d.file(name, change, seen, under, in)
		}
	}
	return d.other(upper, below, change, seen.node(change.Path, change.Real))
}

// file is name for what most of a layer is: a plain file in the place of another,
// or of nothing.
func (d *differ) file(name string, change *Change, mine, theirs glimpse, in *realDir) error {
	at := mine.node(change.Path, change.Real)
	if err := presentable(&at); err != nil {
		return err
	}
	change.Entry, change.Below = at.Entry, Before{theirs.kind, theirs.mode}
	switch {
	case theirs.kind == 0:
		change.What = Added
		return nil
	case d.how == ByTime && (at.Size != theirs.size || at.Mode != theirs.mode || mine.modified != theirs.modified):
		change.What = Modified
		return nil
	}
	var err error
	change.What, err = d.what(at, theirs.node(at.Path, in.path+"/"+name))
	return err
}

// other is name for all else.
func (d *differ) other(upper realDir, below node, change *Change, at node) (*inner, error) {
	under, err := below.child(lastName(at.Path))
	if err != nil {
		return nil, err
	}
	if err := d.open(upper, &at, under.Kind); err != nil {
		return nil, err
	}
	if change.What, err = d.what(at, under); err != nil {
		return nil, err
	}
	change.Entry, change.Below = at.Entry, under.before()
	if at.Kind != Directory {
		return nil, nil
	}
	change.Opaque = at.dirs[0].opaque == 'y'
	return &inner{upper: at, below: under}, nil
}

// open makes an entry of the upper layer fit to be published, and a directory fit
// to be looked into. Overlayfs marks
// new directories opaque to save itself a look below. Where the stack has no
// directory the mark says nothing, and it would hide what others add there, so
// it goes.
func (d *differ) open(in realDir, at *node, under Kind) error {
	if err := presentable(at); err != nil || at.Kind != Directory {
		return err
	}
	at.dirs = []realDir{{path: at.Real}}
	marks, err := in.marks(lastName(at.Path), at.Real)
	if err != nil || len(marks) == 0 {
		return err
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

func (d *differ) what(at, under node) (ChangeKind, error) {
	switch {
	case at.Kind == Special:
		return Forbidden, nil
	case at.Kind == Whiteout && under.isNone():
		return Identical, nil
	case at.Kind == Whiteout:
		return Removed, nil
	case under.isNone():
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
