//go:build !linux

package caches

import (
	"os"
	"time"
)

// setUsed makes now the access time of a file and leaves its modification time.
func setUsed(path string, now time.Time) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return os.Chtimes(path, now, info.ModTime())
}

// unnoted is a flag that there is not.
const unnoted = 0

// OpenUnnoted opens a file of the store for reading. Elsewhere than on Linux it
// may count as a use of it, which keeps it for longer.
func OpenUnnoted(path string) (*os.File, error) { return os.Open(path) }

// OpenUnnotedDir is OpenUnnoted for a directory. For what is none, or a symbolic
// link, it returns nil without an error.
func OpenUnnotedDir(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err != nil || !info.IsDir() {
		return nil, err
	}
	return os.Open(path)
}
