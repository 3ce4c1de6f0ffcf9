//go:build amd64 || arm64

package sandbox

import (
	"errors"

	"golang.org/x/sys/unix"
)

// mountWatch tells of changes in the mount namespace of this process, by a poll of
// /proc/self/mountinfo (proc_pid_mountinfo(5)). The zero value watches nothing. It is not
// an os.File, whose poller would take the news away.
type mountWatch struct {
	number  int
	isBegun bool
}

// begin watches from now on, if it does not yet. Without /proc there are no news.
func (w *mountWatch) begin() {
	if w.isBegun {
		return
	}
	number, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	w.number, w.isBegun = number, err == nil
}

// hasChanged reports whether anything was mounted, unmounted or changed since it was asked
// last. Where that cannot be told, something may have been.
func (w *mountWatch) hasChanged() bool {
	if !w.isBegun {
		return false
	}
	files := []unix.PollFd{{Fd: int32(w.number), Events: unix.POLLPRI}}
	for {
		_, err := unix.Poll(files, 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || files[0].Revents != 0
		}
	}
}

func (w *mountWatch) end() {
	if w.isBegun {
		unix.Close(w.number)
	}
	*w = mountWatch{}
}
