package caches

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What must be free where an action writes. Less than that is a full disk: the
// command itself, which writes to its private layer, would be the next to meet
// its end.
const (
	leastBytes  = 8 << 20
	leastInodes = 256
)

// CheckRoom looks whether the file system at folder has room for a run: 8 MiB and
// 256 inodes that this user may take. The error wraps ENOSPC when it has not. A
// file system that counts no inodes has enough of them, and quotas do not show.
func CheckRoom(folder string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", folder, err)
	}
	if free := int64(stat.Bavail) * stat.Bsize; free < leastBytes {
		return fmt.Errorf("%s: %d KiB are free: %w", folder, free>>10, unix.ENOSPC)
	}
	if stat.Files > 0 && stat.Ffree < leastInodes {
		return fmt.Errorf("%s: %d inodes are free: %w", folder, stat.Ffree, unix.ENOSPC)
	}
	return nil
}
