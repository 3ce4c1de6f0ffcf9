package caches

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Flock takes the kernel lock (flock) on an open file: how is unix.LOCK_SH or
// unix.LOCK_EX, with unix.LOCK_NB for who does not wait. A signal does not end
// the wait. The lock goes when the file is closed or the process dies; whether
// the file is still the one at its path is for the caller to check.
func Flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
