package main

import "golang.org/x/sys/unix"

// terminalSettings asks for the settings of a terminal.
const terminalSettings = unix.TIOCGETA

// leaveOthersFirst gives the process the lowest priority. When that is refused it
// costs others some speed, and nothing else.
func leaveOthersFirst() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19) }

// likelyFiles is how many open files the starter of a program has at most.
const likelyFiles = 256

// keepFiles keeps open files but the standard ones from programs that are started
// from here on.
func keepFiles() error {
	for fd := 3; fd < likelyFiles; fd++ {
		unix.CloseOnExec(fd)
	}
	return nil
}

// memoryOfMachine is how much memory there is, in bytes, or 0 when that is not
// known.
func memoryOfMachine() int64 {
	bytes, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(bytes)
}
