package layers

import (
	"errors"
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

// lstat looks at one name of the directory. That it is not there is often no
// error, and does not name the path.
func (d realDir) lstat(name string, stat *unix.Stat_t) (err error) {
	if d.isOpen {
		err = unix.Fstatat(d.descriptor, name, stat, unix.AT_SYMLINK_NOFOLLOW)
	} else {
		err = unix.Lstat(d.path+"/"+name, stat)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		err = &fs.PathError{Op: "lstat", Path: d.path + "/" + name, Err: err}
	}
	return err
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
