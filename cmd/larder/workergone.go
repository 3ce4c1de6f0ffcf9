package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// whenUnread calls gone when nobody can read any more what is written to a pipe,
// a socket or a terminal, or when the descriptor was closed from the beginning. It
// returns then, and never for a file.
func whenUnread(file *os.File, gone func()) {
	poll := []unix.PollFd{{Fd: int32(file.Fd())}}
	for {
		_, err := unix.Poll(poll, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && poll[0].Revents != 0 {
			gone()
		}
		return
	}
}
