package layers

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names of overlayfs's extended attributes: with the mount option userxattr
// under user.overlay, else under trusted.overlay.
const (
	userPrefix     = "user.overlay."
	trustedPrefix  = "trusted.overlay."
	escapedPrefix  = "user.overlay.overlay." // of an overlay that the process itself mounted
	opaqueName     = "opaque"
	whiteoutName   = "whiteout"
	permissionBits = 0o7777
)

// opaqueMark reads the opaque mark of a directory: 'y', 'x', or 0 for none. Most
// directories have no attribute at all, which one call tells.
func opaqueMark(path string) (byte, error) {
	names, err := listMarks(path)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	return opaqueAmong(names, path)
}

// opaqueAmong is opaqueMark for a directory that has these attributes.
func opaqueAmong(names []string, path string) (byte, error) {
	for _, name := range []string{userPrefix + opaqueName, trustedPrefix + opaqueName} {
		if !slices.Contains(names, name) {
			continue
		}
		var value [8]byte
		n, err := unix.Lgetxattr(path, name, value[:])
		switch {
		case err == nil && n > 0 && (value[0] == 'y' || value[0] == 'x'):
			return value[0], nil
		case err == nil, absent(err):
			continue
		}
		return 0, &fs.PathError{Op: "getxattr", Path: path, Err: err}
	}
	return 0, nil
}

// absent reports whether an attribute is not there or cannot be.
func absent(err error) bool {
	for _, known := range []error{noAttribute, unix.ENOTSUP, unix.EPERM, unix.ENOSYS, unix.ERANGE} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func hasWhiteoutMark(path string) bool {
	for _, prefix := range []string{userPrefix, trustedPrefix} {
		if _, err := unix.Lgetxattr(path, prefix+whiteoutName, nil); err == nil {
			return true
		}
	}
	return false
}

// setOpaque marks a directory so that it hides the one below.
func setOpaque(path string) error {
	return withWrite(path, func() error { return unix.Lsetxattr(path, userPrefix+opaqueName, []byte{'y'}, 0) })
}

// clearOpaque makes a directory show the one below again.
func clearOpaque(path string) error {
	for _, prefix := range []string{userPrefix, trustedPrefix} {
		name := prefix + opaqueName
		err := withWrite(path, func() error { return unix.Lremovexattr(path, name) })
		if err != nil && !absent(err) {
			return &fs.PathError{Op: "removexattr", Path: path, Err: err}
		}
	}
	return nil
}

// accessLists is how the names of access control lists begin. The default list
// of a directory would decide on the modes of what later actions make there.
const accessLists = "system.posix_acl_"

// stripMarks removes attributes that have a meaning to overlayfs and that
// overlayfs itself would not leave on a private layer: only a process that got
// at the raw directory can have made them. It also removes access control
// lists. keep names the marks that stay.
func stripMarks(path string, keep ...string) error {
	names, err := listMarks(path)
	if err != nil {
		return err
	}
	for _, name := range names {
		mark, isMark := strings.CutPrefix(name, userPrefix)
		if isMark && (strings.HasPrefix(name, escapedPrefix) || slices.Contains(keep, mark)) || !isMark && !strings.HasPrefix(name, accessLists) {
			continue
		}
		err := withWrite(path, func() error { return unix.Lremovexattr(path, name) })
		if err != nil && !errors.Is(err, unix.ENODATA) {
			return &fs.PathError{Op: "removexattr", Path: path, Err: err}
		}
	}
	return nil
}

func listMarks(path string) ([]string, error) { return realDir{}.marks("", path) }

// marks lists the attributes of one name of the directory; path is that of the
// name.
func (d realDir) marks(name, path string) ([]string, error) {
	var small [512]byte
	buffer := small[:]
	n, err := 0, error(unix.ENOSYS)
	if d.isOpen {
		n, err = listAt(d.descriptor, name, buffer)
	}
	if err != nil {
		n, err = unix.Llistxattr(path, buffer)
	}
	if errors.Is(err, unix.ERANGE) {
		buffer = make([]byte, 64<<10) // the most that the kernel gives
		n, err = unix.Llistxattr(path, buffer)
	}
	if absent(err) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "listxattr", Path: path, Err: err}
	}
	return strings.Split(strings.TrimSuffix(string(buffer[:n]), "\x00"), "\x00"), nil
}

// withWrite runs change; when the file's mode is in the way it lends the owner
// write permission for the moment.
func withWrite(path string, change func() error) error {
	err := change()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, statErr := os.Lstat(path)
	if statErr != nil || info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o300 == 0o300 {
		return err
	}
	if err := os.Chmod(path, info.Mode()|0o300); err != nil {
		return err
	}
	return errors.Join(change(), os.Chmod(path, info.Mode()))
}

func fileMode(mode uint32) fs.FileMode {
	bits := fs.FileMode(mode & 0o777)
	for _, special := range [...]struct {
		bit  uint32
		flag fs.FileMode
	}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if mode&special.bit != 0 {
			bits |= special.flag
		}
	}
	return bits
}

func unixTime(t unix.Timespec) time.Time { return time.Unix(t.Unix()) }
