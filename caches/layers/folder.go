package layers

import (
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// realDir is one directory of one layer.
type realDir struct {
	path   string
	opaque byte // the value of its opaque mark: 0, 'y' or 'x'
	// descriptor, when isOpen, saves the kernel the way through the whole path at
	// each look: half of the time of one.
	descriptor int
	isOpen     bool
}

// open returns the directory with a descriptor, for [realDir.close]. Where none
// can be had, as when there are too many, looks go by the path as before.
func (d realDir) open() realDir {
	fd, err := unix.Open(d.path, lookOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	d.descriptor, d.isOpen = fd, err == nil
	return d
}

func (d realDir) close() {
	if d.isOpen {
		unix.Close(d.descriptor)
	}
}

// lstat looks at one name of the directory; path is that of the name.
func (d realDir) lstat(name, path string, stat *unix.Stat_t) error {
	at := unix.AT_FDCWD
	if d.isOpen {
		at = d.descriptor
	} else {
		name = path
	}
	if err := unix.Fstatat(at, name, stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return nil
}

// fewNames is up to how many names of a directory it does not pay to open the
// directories below for them.
const fewNames = 4

// opened is the directory of a view with its real directories open, when it pays
// for n looks.
func (n node) opened(looks int) node {
	n.dirs = slices.Clone(n.dirs)
	for i := range n.dirs {
		if looks > fewNames {
			n.dirs[i] = n.dirs[i].open()
		}
	}
	return n
}

func (n node) close() {
	for _, dir := range n.dirs {
		dir.close()
	}
}
