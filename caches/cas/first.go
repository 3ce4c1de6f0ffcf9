package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/digest"
)

// putFirst makes a small file of a tree from its origin, and then the blob as
// another name of it. That is half the work of making the blob first, and nobody
// sees the blob before it is complete either: a link never replaces. It reports
// false when there is a blob now that is yet to be linked into the tree, as when
// another added it meanwhile.
func (s *Store) putFirst(ctx context.Context, l link, origin string) (done bool, err error) {
	buffer := l.buffer[:l.digest.Size()+1]
	n, err := readSmall(origin, buffer)
	if err != nil {
		return false, fmt.Errorf("read input: %w", err)
	}
	if got := digest.Of(s.fn, buffer[:n]); got != l.digest {
		return false, fmt.Errorf("take %s into the store: %w: expected %s, found %s; run again", origin, ErrChanged, l.digest, got)
	}
	if err := s.writeFirst(l, buffer[:n]); err != nil {
		return false, fmt.Errorf("take %s into the store: %w", origin, err)
	}
	if s.enlist(l) == nil {
		return true, nil
	}
	if err := unix.Unlinkat(l.dir, l.name, 0); err != nil {
		return false, pathError("unlink", l.at(), err)
	}
	if s.hasLength(s.path(l.digest, l.form), l.digest) {
		return false, nil
	}
	// Something else is in its place, or there are no links on this file system.
	return false, s.AddFile(ctx, origin, l.digest, l.form)
}

// readSmall reads a file that should be one byte shorter than the buffer, which a
// longer one fills. A read that leaves room has shown the end as well.
func readSmall(path string, buffer []byte) (int, error) {
	fd, err := openRaw(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_NONBLOCK, 0) // or a FIFO would hold it up
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	filled := 0
	for filled < max(1, len(buffer)-1) {
		n, err := unix.Read(fd, buffer[filled:])
		if n <= 0 && !errors.Is(err, unix.EINTR) {
			return filled, pathError("read", path, err)
		}
		filled += max(n, 0)
	}
	return filled, nil
}

// writeFirst makes a file with the mode and the time of its content.
func (s *Store) writeFirst(l link, data []byte) error {
	mode := l.form.mode()
	fd, err := openRaw(l.dir, l.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, uint32(mode))
	if err != nil {
		return err
	}
	for len(data) > 0 && err == nil {
		var n int
		if n, err = unix.Write(fd, data); errors.Is(err, unix.EINTR) {
			err = nil
		}
		data = data[max(n, 0):]
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && uint32(st.Mode)&0o7777 != uint32(mode) { // the umask took something
		err = unix.Fchmod(fd, uint32(mode))
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return pathError("write", l.at(), err)
	}
	times := []unix.Timespec{unix.NsecToTimespec(s.layout.Now().UnixNano()), unix.NsecToTimespec(ModTime(l.digest).UnixNano())}
	return pathError("utimensat", l.name, unix.UtimesNanoAt(l.dir, l.name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// enlist makes a finished file of a tree a blob as well.
func (s *Store) enlist(l link) error {
	blob := s.path(l.digest, l.form)
	err := unix.Linkat(l.dir, l.name, unix.AT_FDCWD, blob, 0)
	if errors.Is(err, fs.ErrNotExist) && caches.MakeFolder(filepath.Dir(blob), 0) == nil {
		err = unix.Linkat(l.dir, l.name, unix.AT_FDCWD, blob, 0)
	}
	return err
}

// openRaw opens a file that is on a disk. An [os.File] would ask for it to be
// watched, which no such file can be.
func openRaw(dir int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, pathError("open", path, err)
		}
	}
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
