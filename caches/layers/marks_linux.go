package layers

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// listAt lists the attributes of a name in a directory that is open, without
// following a link, by listxattrat(2) of Linux 6.13; any error means that another
// way has to be gone.
func listAt(directory int, name string, buffer []byte) (int, error) {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(directory), uintptr(unsafe.Pointer(text)),
		unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
