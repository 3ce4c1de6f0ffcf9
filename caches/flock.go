package caches

import (
	"context"
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

// FlockWithin is [Flock] for who waits until ctx ends at most; the error is then
// its cause. It waits in the kernel, so nothing is polled. As that wait cannot be
// broken off, a goroutine stays behind then and gives the lock back as soon as it
// comes. When it fails, the file is closed, or will be by that goroutine.
func FlockWithin(ctx context.Context, file *os.File, how int) error {
	err := Flock(file, how|unix.LOCK_NB)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return err
	}
	done := make(chan error, 1)
	go func() { done <- Flock(file, how) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		go func() { <-done; file.Close() }()
		return context.Cause(ctx)
	}
	if err != nil {
		file.Close()
	}
	return err
}
