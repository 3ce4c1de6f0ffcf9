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
}

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

// lookup finds a path in the view.
func (s Stack) lookup(path string) (node, bool, error) {
	at, err := s.root()
	if err != nil || path == "." {
		return at, err == nil, err
	}
	if !filepath.IsLocal(path) {
		return node{}, false, fmt.Errorf("path leaves the stack: %w", fs.ErrInvalid)
	}
	for name := range strings.SplitSeq(path, "/") {
		var found bool
		at, found, err = at.child(name)
		if err != nil || !found {
			return node{}, false, err
		}
	}
	return at, true, nil
}

// child finds a name in a directory of the view, by overlayfs's rules: the
// topmost layer that has the name decides what it is; directories merge down
// to the first opaque one, whiteout or other file.
func (n node) child(name string) (node, bool, error) {
	var found node
	for _, dir := range n.dirs {
		at, err := inspect(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return node{}, false, err
		}
		if more, err := found.merge(dir, at); err != nil {
			return node{}, false, err
		} else if !more {
			break
		}
	}
	found.Path = join(n.Path, name)
	return found, found.Kind != 0, nil
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
		child, ok, err := n.child(name)
		if err != nil {
			return nil, err
		}
		if ok {
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

// inspect looks at one name of one real directory.
func inspect(dir realDir, name string) (node, error) {
	var stat unix.Stat_t
	if err := dir.lstat(name, &stat); err != nil {
		return node{}, err
	}
	path := dir.path + "/" + name
	at := node{ino: uint64(stat.Ino), dev: uint64(stat.Dev), bits: uint32(stat.Mode) & permissionBits, Entry: Entry{
		Path: name, Real: path, Kind: kindOf(uint32(stat.Mode), uint64(stat.Rdev)),
		Mode: fileMode(uint32(stat.Mode)), ModTime: unixTime(stat.Mtim),
	}}
	if at.Kind != File {
		return at, nil
	}
	at.Size = stat.Size
	if dir.opaque == 'x' && stat.Size == 0 && hasWhiteoutMark(path) {
		at.Kind = Whiteout
	}
	return at, nil
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
