package layers

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// RemoveTree deletes path and everything below it, whatever a process has left
// there, and never follows a symbolic link. Where a directory's mode is in the
// way, as with mode 000 or the work folder of overlayfs, it gives the owner
// permission. However deep the tree, it holds few files open and little memory. A
// path that is missing is no error, and others may be deleting it too.
func RemoveTree(path string) error {
	r := remover{}
	// A directory that another process is emptying may seem empty when it is
	// read and not be when it is removed. As nothing is added, it ends soon.
	err := r.remove(unix.AT_FDCWD, path, 0)
	for try := 0; try < 100 && isFull(err); try++ {
		err = r.remove(unix.AT_FDCWD, path, 0)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// deepest is how many directories deep a tree is deleted from where it is. A
// process can make one that has more levels than larder can have files open,
// and that no path reaches; what lies deeper is moved to the top first.
const deepest = 100

// remover deletes one tree.
type remover struct{ top int } // the directory that is deleted, once it is open

// remove deletes one name, depth directories below the top.
func (r *remover) remove(parent int, name string, depth int) error {
	err := unlink(parent, name, 0)
	if err == nil || !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	asDirectory := unlink(parent, name, unix.AT_REMOVEDIR)
	if errors.Is(asDirectory, unix.ENOTDIR) {
		return err
	}
	if !isFull(asDirectory) {
		return asDirectory
	}
	if depth > deepest {
		return r.moveUp(parent, name)
	}
	dir, err := openGranted(parent, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if depth == 0 {
		r.top = int(dir.Fd())
	}
	if err := r.empty(dir, depth); err != nil {
		return err
	}
	return unlink(parent, name, unix.AT_REMOVEDIR)
}

// namesAtOnce bounds the memory that a wide directory takes.
const namesAtOnce = 1024

// empty deletes all that is in a directory, as far as it can, and returns the
// first error. It reads until there is nothing more: what lay too deep comes up
// meanwhile, and some file systems skip names when others go.
func (r *remover) empty(dir *os.File, depth int) error {
	var first error
	for isEmpty := false; !isEmpty; {
		isEmpty = true
		names, err := dir.Readdirnames(namesAtOnce)
		for ; err == nil; names, err = dir.Readdirnames(namesAtOnce) {
			isEmpty = false
			for _, name := range names {
				first = cmp.Or(first, r.remove(int(dir.Fd()), name, depth+1))
			}
		}
		if err == io.EOF {
			_, err = dir.Seek(0, io.SeekStart)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else was faster
		}
		if first = cmp.Or(first, err); first != nil {
			return first
		}
	}
	return nil
}

// moveUp moves a directory into the one at the top, under a name of its own.
func (r *remover) moveUp(parent int, name string) error {
	err := grant(parent, name) // its ".." is written anew
	if err == nil {
		err = unix.Renameat(parent, name, r.top, "deep-"+rand.Text())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "move", Path: name, Err: err}
	}
	return nil
}

// unlink removes one name. One that is missing is no error.
func unlink(parent int, name string, flags int) error {
	for {
		err := unix.Unlinkat(parent, name, flags)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, unix.EINTR):
			return &fs.PathError{Op: "unlink", Path: name, Err: err}
		}
	}
}

func isFull(err error) bool { return errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) }

// grant gives the owner all permissions on a directory.
func grant(parent int, name string) error {
	err := unix.Fchmodat(parent, name, 0o700, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = unix.Fchmodat(parent, name, 0o700, 0) // before Linux 6.6
	}
	return err
}

// openGranted opens a directory, with all permissions for its owner.
func openGranted(parent int, name string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var stat unix.Stat_t
	err := unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR && stat.Mode&0o700 != 0o700 {
		err = grant(parent, name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	fd, err := unix.Openat(parent, name, flags, 0)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Openat(parent, name, flags, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
