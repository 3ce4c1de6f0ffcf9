package caches

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// setUsed makes now the access time of a file and leaves its modification time.
func setUsed(path string, now time.Time) error {
	used, err := unix.TimeToTimespec(now)
	if err == nil {
		times := []unix.Timespec{used, {Nsec: unix.UTIME_OMIT}}
		err = unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return &fs.PathError{Op: "utimensat", Path: path, Err: err}
	}
	return nil
}

// unnoted opens a file so that reading it leaves its access time as it is, which
// is that of its last use.
const unnoted = unix.O_NOATIME

// OpenUnnoted opens a file of the store for reading, which does not count as a
// use of it. It is for looking after the store.
func OpenUnnoted(path string) (*os.File, error) { return openUnnoted(path, 0) }

// OpenUnnotedDir is OpenUnnoted for a directory. For what is none, or a symbolic
// link, it returns nil without an error.
func OpenUnnotedDir(path string) (*os.File, error) {
	dir, err := openUnnoted(path, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	return dir, err
}

func openUnnoted(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unnoted|flags, 0)
	if errors.Is(err, unix.EPERM) {
		return os.OpenFile(path, os.O_RDONLY|flags, 0) // of another user
	}
	return file, err
}
