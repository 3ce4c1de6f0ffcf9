package cas

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropAttributes removes the user's extended attributes of a file that is about
// to become a blob. A blob is its bytes; and among the attributes could be marks
// of overlayfs, which would have a meaning once the blob lies in a lower layer.
func dropAttributes(file *os.File) error {
	descriptor := int(file.Fd())
	size, err := unix.Flistxattr(descriptor, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	names := make([]byte, size)
	if size, err = unix.Flistxattr(descriptor, names); err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:size]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		err := unix.Fremovexattr(descriptor, name)
		if errors.Is(err, unix.EACCES) {
			// It takes permission to write; a blob gets its own mode anyway.
			if err = file.Chmod(0o600); err == nil {
				err = unix.Fremovexattr(descriptor, name)
			}
		}
		if err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("remove extended attribute %s: %w", name, err)
		}
	}
	return nil
}
