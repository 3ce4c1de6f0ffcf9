package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Layer is one immutable directory. Entries counts everything in it but its
// root, whiteouts too; Bytes is the sum of the sizes of its plain files.
type Layer struct {
	ID      string
	Path    string // absolute
	Entries int64
	Bytes   int64
	// Stamp is the newest change time that a file in it can have unless somebody
	// wrote to it after the commit, in nanoseconds since 1970; 0 says that it is not
	// known. See [Stamped].
	Stamp int64
}

// Stack is an ordered list of layers, bottom first. An empty stack is an empty
// directory. It is a value that may be shared; nothing in it changes.
type Stack []Layer

// Lowers lists the directories of the stack topmost first, which is the order
// in which overlayfs takes its lower directories.
func (s Stack) Lowers() []string {
	paths := make([]string, len(s))
	for i, layer := range s {
		paths[len(s)-1-i] = layer.Path
	}
	return paths
}

// Kind is what a path in a view is.
type Kind uint8

const (
	// File is a plain file.
	File Kind = iota + 1
	// Directory is a directory, merged from all layers that hold it.
	Directory
	// Symlink is a symbolic link; it is content like any other.
	Symlink
	// Special is a FIFO, a socket or a device: never published.
	Special
	// Whiteout hides a name of the layers below. It occurs in a layer, never
	// in the view of a stack.
	Whiteout
)

// Entry is one path of a view.
type Entry struct {
	Path    string // relative, slash-separated, "." for the root
	Kind    Kind
	Mode    fs.FileMode // permission bits, and setuid, setgid, sticky
	Size    int64       // bytes of a plain file, else 0
	ModTime time.Time
	Real    string // the absolute path of the file in its layer; for a directory, of its topmost layer
}

// Resolve says what the view of the stack holds at path, which is relative and
// clean. No symbolic link is followed, neither at the end nor on the way. An
// error that wraps fs.ErrNotExist says that there is nothing.
func (s Stack) Resolve(path string) (Entry, error) {
	found, err := s.lookup(path)
	if err != nil {
		return Entry{}, fmt.Errorf("resolve %s: %w", path, err)
	}
	if found.isNone() {
		return Entry{}, fmt.Errorf("resolve %s: %w", path, fs.ErrNotExist)
	}
	return found.Entry, nil
}

// Walk calls visit for every path of the view but the root, parents first and
// names of one directory in byte order, until visit returns an error. Memory
// grows with the depth and width of single directories, not with the whole.
func (s Stack) Walk(visit func(Entry) error) error {
	root, err := s.root()
	if err != nil {
		return fmt.Errorf("walk a stack: %w", err)
	}
	return walk(root, visit)
}

func walk(n node, visit func(Entry) error) error {
	children, err := n.children()
	if err != nil {
		return fmt.Errorf("walk a stack: %w", err)
	}
	for _, child := range children {
		if err := visit(child.Entry); err != nil {
			return err
		}
		if child.Kind != Directory {
			continue
		}
		if err := walk(child, visit); err != nil {
			return err
		}
	}
	return nil
}

// Verify checks that the layer is there and holds as many entries and bytes as
// it says. It looks at every entry but reads no file. The error wraps
// [ErrDamaged] when the layer is not what it says.
func (l Layer) Verify() error {
	if err := l.Look(); err != nil {
		return err
	}
	entries, bytes, err := measure(l.Path)
	if err != nil {
		return fmt.Errorf("verify layer %s: %w", l.ID, err)
	}
	if entries != l.Entries || bytes != l.Bytes {
		return fmt.Errorf("layer %s holds %d entries and %d bytes, its manifest says %d and %d: %w",
			l.ID, entries, bytes, l.Entries, l.Bytes, ErrDamaged)
	}
	return nil
}

// Present reports whether the directory of the layer exists: one look at the
// file system.
func (l Layer) Present() bool { return l.Look() == nil }

// Look is [Layer.Present] with a reason. The error wraps [ErrDamaged] when the
// layer is not there; another says that nobody could look.
func (l Layer) Look() error {
	info, err := os.Lstat(l.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("layer %s is missing: %w", l.ID, ErrDamaged)
	}
	if err != nil {
		return fmt.Errorf("look at layer %s: %w", l.ID, err)
	}
	return nil
}

// measure counts what is in a directory without its root.
func measure(root string) (entries, bytes int64, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		entries++
		if !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return entries, bytes, err
}

// join is filepath.Join for clean parts: names in a cache are any bytes, and
// "." is the root.
func join(dir, name string) string {
	switch {
	case dir == ".":
		return name
	case name == ".":
		return dir
	}
	return dir + "/" + name
}
