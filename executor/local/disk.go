package local

import (
	"os"

	"golang.org/x/sys/unix"
)

// meter adds up what is in folders while a command may be changing them: by
// descriptors, so that no link that the command puts in its way leads elsewhere.
type meter struct {
	total  int64 // bytes
	enough int64 // no need to count above this
}

// deepest is how many levels of directories are looked at. A path that has more
// cannot be named as a whole, so only a command that means to hide something
// makes one: all that is below counts as too much.
const deepest = 2048

// namesAtOnce bounds the memory that a wide directory takes.
const namesAtOnce = 1024

// add counts what is in the directory at path, and not itself. What goes away
// meanwhile, or cannot be read by any means, counts nothing.
func (m *meter) add(path string) { m.directory(unix.AT_FDCWD, path, 0) }

func (m *meter) directory(parent int, name string, depth int) {
	if depth > deepest {
		m.total = m.enough + 1
		return
	}
	dir, shut, err := openToRead(parent, name)
	if err != nil {
		return
	}
	defer shut()
	for m.total <= m.enough {
		names, err := dir.Readdirnames(namesAtOnce)
		for _, name := range names {
			m.name(int(dir.Fd()), name, depth)
		}
		if err != nil {
			return
		}
	}
}

func (m *meter) name(parent int, name string, depth int) {
	var stat unix.Stat_t
	if m.total > m.enough || unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	m.total += sizeOf(&stat)
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		m.directory(parent, name, depth+1)
	}
}

// openToRead opens a directory of the command's. One that is closed to its own
// user, who is larder's too, is open to that one until shut is called: else a
// command could put as much into it as it likes.
func openToRead(parent int, name string) (dir *os.File, shut func(), err error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var stat unix.Stat_t
	if err := unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, nil, err
	}
	mode := uint32(stat.Mode) &^ unix.S_IFMT
	isClosed := mode&0o500 != 0o500 && os.Geteuid() != 0
	if isClosed {
		err = unix.Fchmodat(parent, name, mode|0o500, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.Openat(parent, name, flags, 0)
	if err != nil {
		return nil, nil, err
	}
	dir = os.NewFile(uintptr(fd), name)
	return dir, func() {
		if isClosed {
			_ = unix.Fchmod(fd, mode) // it cannot fail where the change before did not
		}
		dir.Close()
	}, nil
}

// block is what the smallest file or directory takes.
const block = 4096

// sizeOf is what a file counts: its length in whole blocks, holes included since
// whoever reads it later has to read them, and an empty one a block all the same.
// A file with several names is shared among them, and a mark of overlayfs for
// something that was removed counts nothing.
func sizeOf(stat *unix.Stat_t) int64 {
	whole := max(block, (stat.Size+block-1)/block*block)
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return 0
	case unix.S_IFREG:
		return whole / int64(max(1, stat.Nlink))
	}
	return block
}
