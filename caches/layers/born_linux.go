package layers

import (
	"time"

	"golang.org/x/sys/unix"
)

// bornAt says when a directory was made, where the file system knows.
func bornAt(path string) (at time.Time, known bool) {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &stat)
	return time.Unix(stat.Btime.Sec, int64(stat.Btime.Nsec)), err == nil && stat.Mask&unix.STATX_BTIME != 0
}
