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

// afterGrace cancels when the time of grace is over.
func afterGrace(ctx context.Context, cancel context.CancelFunc) {
	stop := time.AfterFunc(grace, cancel)
	context.AfterFunc(ctx, func() { stop.Stop() })
}
