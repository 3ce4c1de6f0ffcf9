package caches

import (
	"errors"
	"io/fs"
	"syscall"
)

// ErrUnreadable marks stored content that has a name and cannot be read, or is
// not what its name says: the work that made it has to be done again.
var ErrUnreadable = errors.New("stored content cannot be read")

// IsFault reports whether err says that a disk is full, broken, read-only or
// closed to this user, so that the same work may succeed in another place. A
// request that is wrong in itself is no fault, nor is content that is damaged.
func IsFault(err error) bool { return errors.Is(err, fs.ErrPermission) || IsDiskFault(err) }

// IsDiskFault is [IsFault] without what is only a matter of permission: that
// may have been refused by something else than a disk.
func IsDiskFault(err error) bool {
	for _, known := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.ESTALE, syscall.EBADMSG} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// FaultAdvice says what a person can do about a fault of a store.
func FaultAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "make room on the disk of the store, or name another store with --store DIR"
	case errors.Is(err, syscall.EDQUOT):
		return "make room in your quota on the disk of the store, or name another store with --store DIR"
	case errors.Is(err, fs.ErrPermission):
		return "give yourself the right to write to the store, or name another with --store DIR"
	case errors.Is(err, syscall.EROFS):
		return "mount the disk of the store for writing, or name another store with --store DIR"
	case errors.Is(err, ErrUnreadable) && !errors.Is(err, syscall.EIO):
		return "find what is damaged with larder cache verify --check-contents"
	}
	return "look for errors of the disk in the kernel's log, or name another store with --store DIR"
}
