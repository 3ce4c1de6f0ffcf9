package layers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// CopyStack fills the existing empty directory dir with a full private copy of
// the view of the stack: files by reflink where the file system can, else by
// copying. Modes and modification times are kept. This is the way for file
// systems without overlay mounts; it costs time and space in proportion to the
// stack. When it fails, dir holds a part, for the caller to remove.
func CopyStack(stack Stack, dir string) error {
	root, err := stack.root()
	if err == nil {
		err = copyChildren(root, dir)
	}
	if err != nil {
		return fmt.Errorf("copy a stack: %w", err)
	}
	return nil
}

func copyChildren(n node, dir string) error {
	children, err := n.children()
	if err != nil {
		return err
	}
	for _, child := range children {
		to := join(dir, lastName(child.Path))
		if child.Kind != Directory {
			if err := copyEntry(child.Entry, to); err != nil {
				return err
			}
			continue
		}
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		if err := copyChildren(child, to); err != nil {
			return err
		}
		if err := finishDir(to, child.Entry); err != nil {
			return err
		}
	}
	return nil
}

// finishDir gives a directory that has been filled its mode and time.
func finishDir(path string, like Entry) error {
	if err := os.Chmod(path, like.Mode); err != nil {
		return err
	}
	return setTime(path, like)
}

// copyEntry copies a plain file or a link to the new path to.
func copyEntry(from Entry, to string) error {
	if from.Kind == Symlink {
		target, err := os.Readlink(from.Real)
		if err == nil {
			err = os.Symlink(target, to)
		}
		if err != nil {
			return err
		}
		return setTime(to, from)
	}
	source, err := openFile(from.Real)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = caches.Clone(target, source)
	if err != nil {
		_, err = io.Copy(target, source)
	}
	err = errors.Join(err, target.Chmod(from.Mode), target.Close())
	if err != nil {
		return err
	}
	return setTime(to, from)
}

func setTime(path string, like Entry) error {
	t := unix.NsecToTimespec(like.ModTime.UnixNano())
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: path, Err: err}
	}
	return nil
}

// linkEntry puts the same file at a second path: by a hard link, or where the
// file system or its limits refuse (too many links, another owner), by a copy.
func linkEntry(from Entry, to string) error {
	if info, err := os.Lstat(from.Real); err == nil && !IsOwn(info) {
		return copyEntry(from, to) // a layer is of one user, see [Stack.Owned]
	}
	err := os.Link(from.Real, to)
	for _, refused := range []error{unix.EMLINK, unix.EPERM, unix.EXDEV, unix.ENOTSUP, unix.EACCES} {
		if errors.Is(err, refused) {
			return copyEntry(from, to)
		}
	}
	return err
}

// MakeWhiteout makes an entry that hides what lower layers have at the path, in
// a layer that is being made and that no process works in: a character device
// 0:0, which takes no privilege since Linux 5.8, or where that is refused the
// form with attributes. It changes the time of the directory.
func MakeWhiteout(path string) error {
	err := unix.Mknod(path, unix.S_IFCHR, 0)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return &os.PathError{Op: "mknod", Path: path, Err: err}
	}
	if mark, err := opaqueMark(parentOf(path)); err != nil || mark == 'y' {
		return err
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return err
	}
	if err := unix.Lsetxattr(path, userPrefix+whiteoutName, []byte{'y'}, 0); err != nil {
		return &os.PathError{Op: "setxattr", Path: path, Err: err}
	}
	return unix.Lsetxattr(filepath.Dir(path), userPrefix+opaqueName, []byte{'x'}, 0)
}
