package payload

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Place says what a copy of a directory would be good for.
type Place struct {
	// FileSystem names the kind that the directory is on: "nfs", "fuse"; "local"
	// stands for every kind that is not another machine's.
	FileSystem string
	// Near says that a copy would be no nearer: the directory is on a local file
	// system or on that of the store.
	Near bool
}

// Place looks where the directory at path is. A file system of a kind that it
// does not know counts as local: a copy that nobody needs takes space for good,
// and one that is missing can be asked for.
func (s *Store) Place(path string) (Place, error) {
	there, err := kindOf(path)
	if err != nil {
		return Place{}, err
	}
	if there == localKind || sameFileSystem(path, s.layout.Payloads()) {
		return Place{there, true}, nil
	}
	here, err := kindOf(s.layout.Root())
	return Place{there, here != localKind}, err
}

const localKind = "local"

func sameFileSystem(path, other string) bool {
	var a, b unix.Stat_t
	return unix.Stat(path, &a) == nil && unix.Stat(other, &b) == nil && a.Dev == b.Dev
}

// NoRoom says that a copy does not fit on the disk of the store.
type NoRoom struct{ Needed, Free int64 }

// Error gives both sizes in bytes.
func (e *NoRoom) Error() string {
	return fmt.Sprintf("the copy takes %d bytes and the disk of the store has %d free", e.Needed, e.Free)
}

// Unwrap makes it ENOSPC for errors.Is.
func (e *NoRoom) Unwrap() error { return unix.ENOSPC }

// checkRoom refuses a copy that is known not to fit, before anything is written.
// On one file system a copy may share its data with the source, so only the
// attempt can tell.
func (s *Store) checkRoom(src Source) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(s.layout.Payloads(), &stat); err != nil {
		return &os.PathError{Op: "statfs", Path: s.layout.Payloads(), Err: err}
	}
	free := int64(stat.Bavail) * int64(stat.Bsize)
	if src.State.Disk > free && !sameFileSystem(src.Path, s.layout.Payloads()) {
		return &NoRoom{src.State.Disk, free}
	}
	return nil
}
