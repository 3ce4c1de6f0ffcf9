package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// ErrDamaged says that a layer or a manifest in the store is not as larder
// wrote it.
var ErrDamaged = errors.New("damaged")

// node is one path of a view. A directory has all real directories that make
// it up, topmost first.
type node struct {
	Entry
	dirs []realDir
	// covers says that something in these layers hides what layers further
	// down hold: the search ended before the last of them.
	covers bool
	// ino and dev identify the file, for what is no directory.
	ino, dev uint64
	bits     uint32 // of the mode, as the kernel has them
	changed  int64  // when anything of it changed last, in nanoseconds since 1970
}

// isNone says that the view has nothing there.
func (n *node) isNone() bool { return n.Kind == 0 }

// root returns the merged root directory of the stack.
func (s Stack) root() (node, error) {
	root := node{Entry: Entry{Path: ".", Kind: Directory, Mode: 0o755}}
	for i, path := range s.Lowers() {
		dir, err := openDir(path)
		if err != nil {
			return node{}, fmt.Errorf("layer %s: %w", s[len(s)-1-i].ID, err)
		}
		if root.Real == "" {
			root.Real = path
		}
		root.dirs = append(root.dirs, dir)
	}
	return root, nil
}

// openDir reads the opaque mark of a directory that must exist.
func openDir(path string) (realDir, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return realDir{}, err
	}
	if !info.IsDir() {
		return realDir{}, fmt.Errorf("%s is not a directory: %w", path, ErrDamaged)
	}
	mark, err := opaqueMark(path)
	return realDir{path: path, opaque: mark}, err
}

// lookup finds a path in the view; where nothing is, the node is none.
func (s Stack) lookup(path string) (node, error) {
	at, err := s.root()
	if err != nil || path == "." {
		return at, err
	}
	if !filepath.IsLocal(path) {
		return node{}, fmt.Errorf("path leaves the stack: %w", fs.ErrInvalid)
	}
	for name := range strings.SplitSeq(path, "/") {
		at, err = at.child(name)
		if err != nil || at.isNone() {
			return node{}, err
		}
	}
	return at, nil
}

// child finds a name in a directory of the view, by overlayfs's rules: the
// topmost layer that has the name decides what it is; directories merge down
// to the first opaque one, whiteout or other file. Where nothing is, the node is none.
func (n node) child(name string) (node, error) {
	var found node
	for _, dir := range n.dirs {
		at, err := inspect(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return node{}, err
		}
		if more, err := found.merge(dir, at); err != nil {
			return node{}, err
		} else if !more {
			break
		}
	}
	found.Path = join(n.Path, name)
	return found, nil
}

// glimpse is what [node.child] finds, for who has no use of a directory: its kind
// is 0 when there is nothing. in is the directory that holds it.
func (n node) glimpse(name string) (seen glimpse, in *realDir, err error) {
	for i := range n.dirs {
		seen, err = n.dirs[i].glimpse(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || seen.kind == Whiteout {
			return glimpse{}, nil, err
		}
		return seen, &n.dirs[i], nil
	}
	return glimpse{}, nil, nil
}

// merge puts what one layer has under a name of its directory in below what was
// found in the layers above it, and reports whether layers further down count.
func (n *node) merge(in realDir, at node) (more bool, err error) {
	if at.Kind != Directory {
		if n.Kind == 0 && at.Kind != Whiteout {
			*n = at
		}
		n.covers = true
		return false, nil
	}
	names, err := in.marks(at.Path, at.Real)
	var mark byte
	if len(names) > 0 {
		mark, err = opaqueAmong(names, at.Real)
	}
	if err != nil {
		return false, err
	}
	dirs := append(n.dirs, realDir{path: at.Real, opaque: mark})
	if n.Kind == 0 {
		*n = at
	}
	n.dirs, n.covers = dirs, mark == 'y'
	return mark != 'y', nil
}

// children lists a directory of the view, names in byte order.
func (n node) children() ([]node, error) {
	names, err := n.names()
	if err != nil {
		return nil, err
	}
	var children []node
	for _, name := range names {
		child, err := n.child(name)
		if err != nil {
			return nil, err
		}
		if !child.isNone() {
			children = append(children, child)
		}
	}
	return children, nil
}

// names lists every name that some layer has in the directory, whiteouts too.
func (n node) names() ([]string, error) {
	var names []string
	for _, dir := range n.dirs {
		list, err := caches.ReadNames(dir.path)
		if err != nil {
			return nil, err
		}
		names = append(names, list...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// glimpse is what one look at a name tells, without a path: it takes no memory of
// its own.
type glimpse struct {
	kind     Kind
	mode     fs.FileMode
	size     int64 // of a plain file, else 0
	modified unix.Timespec
	ino, dev uint64
	bits     uint32
	changed  int64
}

// glimpse looks at one name of the directory.
func (d realDir) glimpse(name string) (glimpse, error) {
	var stat unix.Stat_t
	if err := d.lstat(name, &stat); err != nil {
		return glimpse{}, err
	}
	seen := glimpse{
		kind: kindOf(uint32(stat.Mode), uint64(stat.Rdev)), mode: fileMode(uint32(stat.Mode)), modified: stat.Mtim,
		ino: uint64(stat.Ino), dev: uint64(stat.Dev), bits: uint32(stat.Mode) & permissionBits,
		changed: stat.Ctim.Nano(),
	}
	if seen.kind != File {
		return seen, nil
	}
	seen.size = stat.Size
	if d.opaque == 'x' && stat.Size == 0 && hasWhiteoutMark(d.path+"/"+name) {
		seen.kind = Whiteout
	}
	return seen, nil
}

// node gives what was seen at real its path.
func (g glimpse) node(path, real string) node {
	return node{ino: g.ino, dev: g.dev, bits: g.bits, changed: g.changed, Entry: Entry{
		Path: path, Real: real, Kind: g.kind, Mode: g.mode, Size: g.size, ModTime: unixTime(g.modified),
	}}
}

// inspect looks at one name of one real directory.
func inspect(dir realDir, name string) (node, error) {
	seen, err := dir.glimpse(name)
	if err != nil {
		return node{}, err
	}
	return seen.node(name, dir.path+"/"+name), nil
}

func kindOf(mode uint32, device uint64) Kind {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return File
	case syscall.S_IFDIR:
		return Directory
	case syscall.S_IFLNK:
		return Symlink
	case syscall.S_IFCHR:
		if device == 0 {
			return Whiteout
		}
	}
	return Special
}
