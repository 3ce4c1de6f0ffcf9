package caches

import (
	"os"

	"golang.org/x/sys/unix"
)

// Clone makes target, an empty file that is open for writing, share all blocks of
// source. The error is that of a file system that cannot; target is empty then.
func Clone(target, source *os.File) error {
	return unix.IoctlFileClone(int(target.Fd()), int(source.Fd()))
}
