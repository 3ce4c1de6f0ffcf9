package caches

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Settle puts the finished file at from into its place to unless something is
// there already, which then stays; the error wraps fs.ErrExist in that case and
// from is as it was. Content that is named by its digest uses it: replacing a
// file by an equal one would take the name from under whoever is about to link
// to it.
func Settle(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.ENOENT) {
		if err = MakeFolder(filepath.Dir(to), 0); err == nil {
			err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		}
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = settleByLink(from, to) // a file system without RENAME_NOREPLACE
	}
	if err != nil {
		return fmt.Errorf("put %s into its place: %w", filepath.Base(to), err)
	}
	return nil
}
