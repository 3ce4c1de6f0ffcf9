package executor

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Streams is where the command reads and writes.
type Streams struct {
	Input  Input
	Stdout io.Writer // nil: what is printed is only kept
	Stderr io.Writer
	// Direct, when set, is handed to the command as its standard output and
	// error without being captured: for an interactive tool whose result is
	// not kept.
	Direct *os.File
}

// InputKind says what can be known of standard input before it is read.
type InputKind uint8

const (
	// InputNone has nothing to read: /dev/null, a closed descriptor, an end.
	InputNone InputKind = iota
	// InputFile is a regular file with something left to read.
	InputFile
	// InputPipe may have something to read, now or later.
	InputPipe
	// InputTerminal is a terminal in whose foreground larder is.
	InputTerminal
)

// Input is the standard input of larder and what is known of it.
type Input struct {
	Kind InputKind
	File *os.File
}

// InputUse is what a command did with its standard input.
type InputUse uint8

const (
	// InputEmpty had nothing in it, and may have been read.
	InputEmpty InputUse = iota
	// InputUnread may have had something in it; nothing was read.
	InputUnread
	// InputRead was read: the answer depends on it.
	InputRead
)

// ClassifyInput looks at a descriptor without reading from it.
func ClassifyInput(file *os.File) Input {
	none := Input{Kind: InputNone}
	if file == nil {
		return none
	}
	info, err := file.Stat()
	if err != nil {
		return none
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		offset, err := file.Seek(0, io.SeekCurrent)
		if err != nil || offset >= info.Size() {
			return none
		}
		return Input{InputFile, file}
	case mode&os.ModeCharDevice != 0:
		if inForeground(file) {
			return Input{InputTerminal, file}
		}
		return none
	case mode&(os.ModeNamedPipe|os.ModeSocket) != 0 && !atEnd(file, 0):
		return Input{InputPipe, file}
	}
	return none
}

// inForeground: in the background a read from the terminal would stop larder.
func inForeground(file *os.File) bool {
	group, err := unix.IoctlGetInt(int(file.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// atEnd reports whether a pipe has no writer and nothing in it any more, or comes
// to that within the time that it is given.
func atEnd(file *os.File, within time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(file.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, int(within.Milliseconds()))
	return err == nil && n == 1 && poll[0].Revents&unix.POLLHUP != 0 && poll[0].Revents&unix.POLLIN == 0
}

// emptyPipe is how long an answer waits for the end of a pipe that nothing has
// come from yet. Programs that start others often close such a pipe a moment
// after the start.
const emptyPipe = 100 * time.Millisecond

// isEmpty reports whether a kept answer that was made with an empty input, of
// which the command may have read the end, holds for this one. A terminal counts
// as empty, or nobody would ever get an answer there.
func (i Input) isEmpty() bool {
	return i.Kind == InputNone || i.Kind == InputTerminal ||
		i.Kind == InputPipe && atEnd(i.File, emptyPipe)
}
