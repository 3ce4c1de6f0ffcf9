package caches

import (
	"io/fs"
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
