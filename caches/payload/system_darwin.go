package payload

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func kindOf(path string) (string, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return "", fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	if stat.Flags&unix.MNT_LOCAL != 0 {
		return localKind, nil
	}
	return unix.ByteSliceToString(stat.Fstypename[:]), nil
}

// syncFileSystem flushes all file systems to the disk: there is no call for one.
func syncFileSystem(*os.File) error { return unix.Sync() }

// copyRange copies nothing: the kernel has no call for it.
func copyRange(_, _ *os.File, _, _ int64) (int, error) { return 0, unix.ENOTSUP }
