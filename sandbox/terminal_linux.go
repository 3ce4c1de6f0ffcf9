//go:build amd64 || arm64

package sandbox

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the time that process 1 stamps its records with.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail for this clock
	return time.Duration(now.Nano()).Nanoseconds()
}

// takeTerminal makes the group of this process the foreground group of the
// terminal again. The kernel stops a background process that tries, unless it
// blocks the signal for that.
func takeTerminal(terminal *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var blocked, before unix.Sigset_t
	blocked.Val[0] = 1 << (unix.SIGTTOU - 1)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before) != nil {
		return
	}
	// Nothing can be done where these fail: the terminal is gone then.
	_ = unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}

// endTerminal takes the terminal back from a command that has ended, so that
// the keys reach the caller again.
func (s *supervisor) endTerminal() {
	if s.cfg.Terminal {
		takeTerminal(s.cfg.Stdin)
	}
}

// inForeground reports whether the terminal is this process's to use.
func inForeground(terminal *os.File) bool {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// suspend follows a command that was stopped, by Ctrl-Z for instance: the shell
// that waits for this process learns of it, and when it lets this process go
// on, the command goes on too.
func (s *supervisor) suspend(r record) {
	if !s.cfg.Terminal || r.stage != stageCommand {
		return
	}
	takeTerminal(s.cfg.Stdin)
	_ = syscall.Kill(0, syscall.SIGSTOP)
	if inForeground(s.cfg.Stdin) {
		s.box.ask(request{kind: requestForeground})
	}
	s.pass(syscall.SIGCONT)
}
