//go:build !linux

package layers

import (
	"time"

	"golang.org/x/sys/unix"
)

// bornAt says when a directory was made.
func bornAt(path string) (at time.Time, known bool) {
	var stat unix.Stat_t
	err := unix.Lstat(path, &stat)
	return unixTime(stat.Btim), err == nil
}
