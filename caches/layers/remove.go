package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// trashPrefix marks what nobody needs any more. Whoever finds it may delete it.
const trashPrefix = "trash-"

// IsTrash reports whether path, in the temporary folder of a store, is something
// that nobody needs any more.
func IsTrash(path string) bool { return strings.HasPrefix(filepath.Base(path), trashPrefix) }

// Discard makes the file or directory at path disappear by one rename and then
// deletes it, which may take long. A path that is missing is no error. A crash
// leaves a trash folder that [Sweep] deletes.
func Discard(layout caches.Layout, path string) error {
	trash, err := Trash(layout, path)
	if err != nil || trash == "" {
		return err
	}
	return RemoveTree(trash)
}

// Trash makes the file or directory at path disappear by one rename, and
// returns where it is now, for [RemoveTree]. It returns "" when there was
// nothing at path.
func Trash(layout caches.Layout, path string) (string, error) {
	folder, err := makeTemp(layout.Temp(), trashPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("remove %s: %w", path, err)
	}
	err = caches.Replace(path, filepath.Join(folder, "old"))
	if errors.Is(err, fs.ErrPermission) {
		// Moving a directory rewrites its "..", which takes write permission.
		if err = grant(unix.AT_FDCWD, path); err == nil {
			err = caches.Replace(path, filepath.Join(folder, "old"))
		}
	}
	if err == nil {
		return folder, nil
	}
	os.Remove(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return "", fmt.Errorf("remove %s: %w", path, err)
}

// RemoveTree deletes path and everything below it, and never follows a
// symbolic link. Where a directory's mode is in the way, as with mode 000 or
// the work folder of overlayfs, it gives the owner permission and tries again.
// A path that is missing is no error, and others may be deleting it too.
func RemoveTree(path string) error {
	err := os.RemoveAll(path)
	// A directory that another process is emptying may seem empty when it is
	// read and not be when it is removed. As nothing is added, it ends soon.
	for range 100 {
		if !errors.Is(err, unix.ENOTEMPTY) {
			break
		}
		err = os.RemoveAll(path)
	}
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err := grantAll(unix.AT_FDCWD, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return os.RemoveAll(path)
}

// grant gives the owner all permissions on a directory.
func grant(parent int, name string) error {
	err := unix.Fchmodat(parent, name, 0o700, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = unix.Fchmodat(parent, name, 0o700, 0) // before Linux 6.6
	}
	return err
}

// grantAll gives the owner all permissions on the directory and on every
// directory below it. It goes by descriptors, so no path can be too long and no
// link is followed.
func grantAll(parent int, name string) error {
	var stat unix.Stat_t
	err := unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if err == nil && stat.Mode&0o700 != 0o700 {
		err = grant(parent, name)
	}
	if err != nil {
		return err
	}
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	for _, entry := range entries {
		if err == nil && entry.IsDir() {
			err = grantAll(fd, entry.Name())
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // somebody else deletes the same tree
		}
	}
	return err
}
