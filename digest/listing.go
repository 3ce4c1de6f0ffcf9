package digest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// handle is an open directory that several jobs use; the last one closes it.
// Everything in it is reached relative to it by one name at a time, so that no
// symbolic link is ever followed, whoever moves things meanwhile.
type handle struct {
	fd    int
	users atomic.Int32
}

// openRoot opens the directory that a walk starts from, which may be a link.
func openRoot(path string) (*handle, error) {
	h, err := openHandle(unix.AT_FDCWD, path, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRoot, &os.PathError{Op: "open", Path: path, Err: err})
	}
	return h, nil
}

// open opens the directory called name in h.
func (h *handle) open(name string) (*handle, error) {
	return openHandle(h.fd, name, unix.O_NOFOLLOW)
}

func openHandle(at int, name string, flags int) (*handle, error) {
	fd, err := retryOnInterrupt(func() (int, error) {
		return unix.Openat(at, name, flags|unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	h := &handle{fd: fd}
	h.users.Store(1)
	return h, nil
}

// hold counts n more users of h, each of which has to release it.
func (h *handle) hold(n int) *handle {
	h.users.Add(int32(n))
	return h
}

func (h *handle) release() {
	if h.users.Add(-1) == 0 {
		unix.Close(h.fd)
	}
}

// retryOnInterrupt repeats a system call that a signal has interrupted.
func retryOnInterrupt(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// item is one name that a directory listing has.
type item struct {
	path   string // from the root of the walk
	start  int    // where the name begins in path
	number int    // among all names in its directory
	kind   uint8  // unix.DT_REG and so on
	found
}

// found is what a scan finds out about an item.
type found struct {
	taken   bool
	known   bool  // the stat index had it
	stamp   stamp // of a file; but for size and mode zero when it is not to be relied on
	content Digest
	target  string
	folder  *folder
}

func (i *item) name() string { return i.path[i.start:] }

// list reads the names in h, sorted. Paths in the result begin with dir.
// All of them share one string, which is what makes it cheap.
func (h *handle) list(dir string) ([]item, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	if dir != "" {
		dir += "/"
	}
	var text []byte
	var spans []span
	for {
		n, err := retryOnInterrupt(func() (int, error) { return unix.ReadDirent(h.fd, buffer[:]) })
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return itemsOf(string(text), spans, len(dir)), nil
		}
		for rest := buffer[:n]; len(rest) > 0; {
			name, kind, length := nextName(rest)
			rest = rest[length:]
			if name := string(name); name == "." || name == ".." {
				continue
			}
			begin := len(text)
			text = append(append(text, dir...), name...)
			spans = append(spans, span{begin, len(text), kind})
		}
	}
}

// span is where a path stands in the text of a listing. Spans are sorted in the
// place of items, which are several times as big.
type span struct {
	begin, end int
	kind       uint8
}

// itemsOf returns the items of a listing, sorted by name; names begin at start
// in each path.
func itemsOf(text string, spans []span, start int) []item {
	slices.SortFunc(spans, func(a, b span) int {
		return strings.Compare(text[a.begin+start:a.end], text[b.begin+start:b.end])
	})
	items := make([]item, len(spans))
	for i, s := range spans {
		items[i] = item{path: text[s.begin:s.end], start: start, number: i, kind: s.kind}
	}
	return items
}

// untilNUL cuts a name off where it ends.
func untilNUL(name []byte) []byte {
	if end := bytes.IndexByte(name, 0); end >= 0 {
		return name[:end]
	}
	return name
}

// stat looks at the entry called name, not through it.
func (h *handle) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	_, err := retryOnInterrupt(func() (int, error) {
		return 0, unix.Fstatat(h.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return st, err
}

// kindOf returns the type of an entry for file systems whose listings have none.
func (h *handle) kindOf(name string) (uint8, error) {
	st, err := h.stat(name)
	return uint8(st.Mode >> 12 & 15), err // DT_ values are the file type bits of the mode
}

// readlink returns the target of the symbolic link called name.
func (h *handle) readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		target := make([]byte, size)
		n, err := retryOnInterrupt(func() (int, error) { return unix.Readlinkat(h.fd, name, target) })
		if err != nil {
			return "", err
		}
		if n < size {
			return string(target[:n]), nil
		}
	}
}
