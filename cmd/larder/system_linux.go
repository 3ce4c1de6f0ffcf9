package main

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// terminalSettings asks for the settings of a terminal.
const terminalSettings = unix.TCGETS

// Operands of ioprio_set, see ioprio_set(2): one thread, and the class that gets
// the disk when nobody else wants it.
const (
	ioprioWhoProcess = 1
	ioprioIdle       = 3 << 13
)

// leaveOthersFirst gives the thread the lowest priority for processor and disk. A
// kernel that refuses costs others some speed, and nothing else.
func leaveOthersFirst() {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioIdle)
}

// keepFiles keeps all open files but the standard ones from programs that are
// started from here on.
func keepFiles() error {
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close other files: %w", err)
	}
	return nil
}

// memoryOfMachine is how much memory there is, in bytes, or 0 when that is not
// known.
func memoryOfMachine() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
