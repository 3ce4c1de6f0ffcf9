package local

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"larder/executor"
)

// bytesWaiting asks how much is in a pipe.
const bytesWaiting = unix.TIOCINQ

// terminalFeed passes the terminal itself on, so that line editing, signals and
// the window size work and what is typed ahead stays for the shell. The kernel
// tells when somebody reads from it.
func terminalFeed(file *os.File) (feed, error) {
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return feed{}, fmt.Errorf("standard input: %w", err)
	}
	_, watchErr := unix.InotifyAddWatch(watch, fmt.Sprintf("/proc/self/fd/%d", file.Fd()), unix.IN_ACCESS)
	return feed{file, func() executor.InputUse {
		buffer := make([]byte, unix.SizeofInotifyEvent)
		if n, err := unix.Read(watch, buffer); watchErr != nil || n > 0 || err != unix.EAGAIN {
			return executor.InputRead
		}
		return executor.InputUnread
	}, func() { unix.Close(watch) }}, nil
}
