package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func getTermios(file *os.File) (*unix.Termios, error) {
	return unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
}

// afterGrace cancels when half of the time of grace is over; the runner gives
// the other half.
func afterGrace(ctx context.Context, cancel context.CancelFunc) {
	stop := time.AfterFunc(grace/2, cancel)
	context.AfterFunc(ctx, func() { stop.Stop() })
}
