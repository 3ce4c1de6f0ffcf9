package main

import (
	"os"

	"golang.org/x/sys/unix"
)

func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), terminalSettings)
	return err == nil
}

// isScreen reports whether lines can be written over there.
func isScreen(file *os.File) bool {
	kind := os.Getenv("TERM")
	return kind != "" && kind != "dumb" && isTerminal(file)
}

// terminalSize is how large a terminal is now.
func terminalSize(file *os.File) (columns, rows int) {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}
