package sandbox

import (
	"fmt"
	"syscall"
	"time"
)

// Status says how a run went that could be started at all.
type Status struct {
	// ExitCode is the command's own exit code; -1 when a signal ended it or
	// when it was not run.
	ExitCode int
	// Signal is the signal that ended the command, or zero.
	Signal syscall.Signal
	// TimedOut says that the command was ended because of [Config.Timeout].
	TimedOut bool
	// Killed says that the context was cancelled before the command had ended.
	Killed bool
	// Stuck says that a process was killed and is still there: it waits in the
	// kernel, for a network share that does not answer, say, and ends when that
	// is over. It runs nothing any more.
	Stuck bool
	// Left are the processes that were still there when the sandbox was given up, as
	// far as that could be told.
	Left []Remnant
	// Struck are the limits that struck before the command had ended, which was
	// then ended because of them; in the order in which they were noticed.
	Struck []Limit
	// Loose are the limits that hold only as far as resource limits of single
	// processes do, and LooseCause, if it is known, why; see [Limits].
	Loose      []Limit
	LooseCause error
	// Setup and Teardown say how these went; nil when they were not run.
	Setup, Teardown *StepStatus
	// Exec is set when the command could not be executed.
	Exec *ExecError
	// MaxRSS is the largest resident memory, in bytes, of any one process that
	// the command waited for, itself included. The kernel counts from the fork,
	// so it is never less than the few MiB that process 1 holds.
	MaxRSS int64
	// User and System are processor time of the command and what it waited for.
	User, System time.Duration
	// Prepare is the time that making the sandbox took, Run is that of the
	// command alone.
	Prepare, Run time.Duration
}

// Remnant is a process that cannot be ended.
type Remnant struct {
	PID     int    // as whoever called [Run] sees it
	Command string // the name of its program, as the kernel shortens it
	Waits   string // the function of the kernel that it waits in; "" when that is not told
}

// StepStatus is how a set-up or a tear-down went.
type StepStatus struct {
	// ExitCode is its exit code, -1 when it was ended by a signal.
	ExitCode int
	// Signal is the signal that ended it, or zero.
	Signal syscall.Signal
	// Exec is set when it could not be executed.
	Exec *ExecError
	// Duration is how long it ran.
	Duration time.Duration
	// TimedOut says that it was ended because it took too long, which only a tear-down
	// can; see [Config.Timeout].
	TimedOut bool
	// Lingers says that it ended and left processes that cannot be ended, so that
	// nothing was run after it; see [Status.Left].
	Lingers bool
}

// OK reports whether the step ended by itself with exit code 0 and left nothing.
func (s *StepStatus) OK() bool {
	return s.Exec == nil && s.Signal == 0 && s.ExitCode == 0 && !s.TimedOut && !s.Lingers
}

// ExecError says why a program could not be executed.
type ExecError struct {
	// Program is the name as it was given.
	Program string
	// Path is the file that was found, empty when there was none.
	Path string
	// MissingInterpreter says that the file is there, but not the program that
	// its first line, or its ELF header, names to run it.
	MissingInterpreter bool
	// Errno is the kernel's answer.
	Errno syscall.Errno
}

// NotFound reports whether there is no such program (exit code 127 by
// convention); otherwise it was found and could not be executed (126).
func (e *ExecError) NotFound() bool { return e.Errno == syscall.ENOENT && !e.MissingInterpreter }

// Unwrap gives the errno, for errors.Is.
func (e *ExecError) Unwrap() error { return e.Errno }

// Error says what could not be executed, why, and what to do.
func (e *ExecError) Error() string {
	switch {
	case e.MissingInterpreter:
		return fmt.Sprintf("%s: the file is there, but the interpreter that it names (first line, or ELF header) is not visible in the sandbox; make that one visible too", e.Path)
	case e.NotFound():
		return fmt.Sprintf("%s: not found in the sandbox; check the spelling, and that the folder it is in is on PATH or named with --tool", e.Program)
	case e.Errno == syscall.EACCES:
		return fmt.Sprintf("%s: found, but not executable; check its mode (chmod +x), and that it is not a directory", e.Path)
	case e.Errno == syscall.ENOEXEC:
		return fmt.Sprintf("%s: found, but not in an executable format; a script needs a first line such as #!/bin/sh", e.Path)
	}
	return fmt.Sprintf("%s: found, but could not be executed: %v", e.Path, e.Errno)
}
