package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/digest"
)

const (
	// piece is how much one read or one copy inside the kernel moves, in bytes,
	// and so how long a copy goes on after it was cancelled.
	piece = 1 << 20
	// listed is how many names of a directory are held at a time.
	listed = 512
)

// copier copies one directory. Its memory does not grow with what it copies.
type copier struct {
	ctx      context.Context
	moved    func(bytes int64)
	noClone  bool // the file systems cannot share data
	noInside bool // nor copy inside the kernel
	buffer   []byte
}

// tree copies the directory from to the new path to.
func (c *copier) tree(from, to string) error {
	dir, err := os.Open(from)
	if err != nil {
		return err
	}
	defer dir.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: from, Err: err}
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for {
		entries, err := dir.ReadDir(listed)
		for _, entry := range entries {
			if err := c.entry(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return finish(to, &stat)
		}
		if err != nil {
			return err
		}
	}
}

// entry copies whatever is at from.
func (c *copier) entry(from, to string) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(from, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: from, Err: err}
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.tree(from, to)
	case unix.S_IFREG:
		return c.file(from, to)
	case unix.S_IFLNK:
		target, err := os.Readlink(from)
		if err == nil {
			err = os.Symlink(target, to)
		}
		if err != nil {
			return err
		}
		return setTime(to, &stat)
	}
	return fmt.Errorf("%w content: %s is %s, and a copy holds files, directories and symbolic links only; remove it, or use the payload with copy=never", caches.ErrInvalid, from, specialName(uint32(stat.Mode)))
}

func specialName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

// file copies a regular file: by sharing its data, inside the kernel, or by
// reading and writing, whatever works first.
func (c *copier) file(from, to string) error {
	source, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(source.Fd()), &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: from, Err: err}
	}
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = c.content(source, target, &stat)
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return finish(to, &stat)
}

func (c *copier) content(source, target *os.File, stat *unix.Stat_t) error {
	if c.clone(source, target) {
		return c.step(stat.Size)
	}
	if err := target.Truncate(stat.Size); err != nil {
		return err
	}
	if stat.Blocks*512 >= stat.Size {
		return c.inside(source, target, 0, stat.Size)
	}
	return c.sparse(source, target, stat.Size)
}

// step counts bytes that are done, and ends a copy that was cancelled.
func (c *copier) step(bytes int64) error {
	c.moved(bytes)
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// clone shares the data of the files, on btrfs, xfs and their like.
func (c *copier) clone(source, target *os.File) bool {
	if !c.noClone {
		c.noClone = caches.Clone(target, source) != nil
	}
	return !c.noClone
}

// sparse copies the data of a file and leaves its holes. A file system that
// cannot tell where they are says that all is data.
func (c *copier) sparse(source, target *os.File, size int64) error {
	for at := int64(0); at < size; {
		begin, err := unix.Seek(int(source.Fd()), at, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO):
			begin = size // a hole up to the end
		case err != nil:
			begin = at
		}
		end, err := unix.Seek(int(source.Fd()), begin, unix.SEEK_HOLE)
		if err != nil {
			end = size
		}
		begin, end = min(begin, size), min(end, size)
		if err := c.step(begin - at); err != nil {
			return err
		}
		if err := c.inside(source, target, begin, end); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// inside copies the bytes from at to end inside the kernel, and what that does
// not take by reading and writing.
func (c *copier) inside(source, target *os.File, at, end int64) error {
	for !c.noInside && at < end {
		n, err := copyRange(source, target, at, min(piece, end-at))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if c.noInside = err != nil || n == 0; c.noInside {
			break
		}
		at += int64(n)
		if err := c.step(int64(n)); err != nil {
			return err
		}
	}
	return c.plain(source, target, at, end)
}

// plain copies by reading and writing. A piece of zeros stays a hole.
func (c *copier) plain(source, target *os.File, at, end int64) error {
	if c.buffer == nil {
		c.buffer = make([]byte, piece)
	}
	for at < end {
		n, err := source.ReadAt(c.buffer[:min(piece, end-at)], at)
		if n == 0 {
			if err == io.EOF {
				err = fmt.Errorf("it became shorter: %w", ErrChanged)
			}
			return err
		}
		if data := c.buffer[:n]; len(bytes.TrimLeft(data, "\x00")) > 0 {
			if _, err := target.WriteAt(data, at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err := c.step(int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// finish gives a copy its permissions and its time.
func finish(path string, like *unix.Stat_t) error {
	if err := unix.Chmod(path, digest.CopiedMode(uint32(like.Mode))); err != nil {
		return &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	return setTime(path, like)
}

func setTime(path string, like *unix.Stat_t) error {
	times := []unix.Timespec{like.Mtim, like.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: path, Err: err}
	}
	return nil
}
