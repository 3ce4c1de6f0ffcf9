package layers

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// compareBuffer is how much of each of two files is in memory at a time.
const compareBuffer = 128 << 10

// Closeness says how closely plain files are compared.
type Closeness uint8

const (
	// ByContent reads files of which the times alone tell nothing.
	ByContent Closeness = iota
	// ByTime takes a file for [Modified] when its size, mode or time differs, and
	// reads it only when none does. It is for who keeps any change.
	ByTime
)

// comparer compares entries. It keeps two buffers, so it is for one goroutine.
type comparer struct {
	how          Closeness
	mine, theirs []byte
}

// entries says what mine is to theirs, both of one name in two views: how the
// content, the mode or the time of mine differs. Directories are compared by
// their mode alone.
func (c *comparer) entries(mine, theirs node) (ChangeKind, error) {
	if mine.Kind != theirs.Kind {
		return Replaced, nil
	}
	if mine.ino == theirs.ino && mine.dev == theirs.dev && mine.Kind != Directory {
		return Identical, nil
	}
	if c.how == ByTime && mine.Kind == File &&
		(mine.Size != theirs.Size || mine.Mode != theirs.Mode || !mine.ModTime.Equal(theirs.ModTime)) {
		return Modified, nil
	}
	content, err := c.content(mine, theirs)
	switch {
	case err != nil || content != Identical:
		return content, err
	case mine.Kind == Symlink:
		return Identical, nil // the mode of a link means nothing, its time hardly more
	case mine.Mode != theirs.Mode:
		return ModeChanged, nil
	case mine.Kind == File && !mine.ModTime.Equal(theirs.ModTime):
		return Touched, nil
	}
	return Identical, nil
}

func (c *comparer) content(mine, theirs node) (ChangeKind, error) {
	switch mine.Kind {
	case File:
		return c.files(mine, theirs)
	case Symlink:
		return compareLinks(mine.Real, theirs.Real)
	}
	return Identical, nil
}

func compareLinks(mine, theirs string) (ChangeKind, error) {
	a, err := os.Readlink(mine)
	if err != nil {
		return 0, err
	}
	b, err := os.Readlink(theirs)
	if err != nil {
		return 0, err
	}
	if a != b {
		return Modified, nil
	}
	return Identical, nil
}

// files compares sizes first, and reads only where the sizes leave a question:
// a longer file is modified, a shorter one may be a truncation.
func (c *comparer) files(mine, theirs node) (ChangeKind, error) {
	if mine.Size > theirs.Size {
		return Modified, nil
	}
	same, err := c.prefix(mine, theirs)
	switch {
	case err != nil:
		return 0, fmt.Errorf("compare %s: %w", mine.Path, err)
	case !same:
		return Modified, nil
	case mine.Size < theirs.Size:
		return Truncated, nil
	}
	return Identical, nil
}

// prefix reports whether the content of mine is how theirs begins.
func (c *comparer) prefix(mine, theirs node) (bool, error) {
	if mine.Size == 0 {
		return true, nil
	}
	a, err := openFile(mine.Real)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := openFile(theirs.Real)
	if err != nil {
		return false, err
	}
	defer b.Close()
	if c.mine == nil {
		c.mine, c.theirs = make([]byte, compareBuffer), make([]byte, compareBuffer)
	}
	return c.streams(a, b, mine.Size)
}

func (c *comparer) streams(a, b *os.File, size int64) (bool, error) {
	for size > 0 {
		n := min(size, compareBuffer)
		if _, err := io.ReadFull(a, c.mine[:n]); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(b, c.theirs[:n]); err != nil {
			return false, err
		}
		if !bytes.Equal(c.mine[:n], c.theirs[:n]) {
			return false, nil
		}
		size -= n
	}
	return true, nil
}

// openFile opens a plain file and nothing else: no link is followed, and a FIFO
// that took its place would not block.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

// sameTree reports whether two views hold the same below a and b: kinds, modes,
// content and the times of plain files.
func (c *comparer) sameTree(a, b node) (bool, error) {
	kind, err := c.entries(a, b)
	if err != nil || kind != Identical {
		return false, err
	}
	if a.Kind != Directory || sameDirs(a.dirs, b.dirs) {
		return true, nil
	}
	names, err := a.names()
	if err != nil {
		return false, err
	}
	more, err := b.names()
	if err != nil {
		return false, err
	}
	for _, name := range append(names, more...) {
		same, err := c.sameChild(a, b, name)
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func (c *comparer) sameChild(a, b node, name string) (bool, error) {
	x, err := a.child(name)
	if err != nil {
		return false, err
	}
	y, err := b.child(name)
	if err != nil || x.isNone() != y.isNone() {
		return false, err
	}
	if x.isNone() {
		return true, nil
	}
	return c.sameTree(x, y)
}

// sameDirs reports whether two merged directories are made of the same real
// ones, in which case nothing below them can differ.
func sameDirs(a, b []realDir) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].path != b[i].path {
			return false
		}
	}
	return true
}

// presentable gives an entry of a private layer a mode that can be published:
// its owner can read it, nobody else can write to it, and it does not run as
// its owner. A set-user-ID bit means nothing in a sandbox, but in the store it
// would let any user of the machine become the owner of the store.
func presentable(at *node) error {
	var need os.FileMode
	switch at.Kind {
	case File:
		need = 0o400
	case Directory:
		need = 0o500
	default:
		return nil // the mode of a link is that of what it leads to
	}
	mode := at.Mode&^(os.ModeSetuid|os.ModeSetgid|0o002) | need
	if mode == at.Mode {
		return nil
	}
	if err := os.Chmod(at.Real, mode); err != nil {
		return fmt.Errorf("set the mode of %s: %w", at.Path, err)
	}
	at.Mode = mode
	return nil
}
