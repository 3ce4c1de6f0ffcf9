//go:build amd64 || arm64

package sandbox

import (
	"syscall"
)

// Stages of the life of a sandbox, in their order.
const (
	stageSetup = iota
	stageCommand
	stageTeardown
	stageCount
)

// Descriptors that process 1 has from its creator.
const (
	fdStdin = iota
	fdStdout
	fdStderr
	fdLog
	fdControl
	fdCount
)

// program is a plan that is ready to run, with all memory that the child
// process uses. Nothing in it may move or be collected while a fork is made.
type program struct {
	setup  []step
	stages [stageCount]process
	keep   []any
	memory *memory
}

// process is how process 1 starts one of the three stages.
type process struct {
	program  string // as the caller named it; empty: this stage is not wanted
	steps    []step
	attempts []attempt
	env      uintptr
}

// attempt is one execve to try.
type attempt struct {
	file       string
	path, argv uintptr
}

// memory is what the child writes to. After the fork it is the child's own.
type memory struct {
	regs     [registerCount]uintptr
	record   record
	request  request
	usage    syscall.Rusage
	clock    syscall.Timespec
	poll     [2]pollEntry
	action   [4]uintptr // a sigaction that says SIG_DFL
	signals  [128]byte
	status   int32
	failed   int32         // index of the step or attempt that failed, -1: none
	best     int32         // index of the attempt whose error tells most
	errno    syscall.Errno // why it failed
	missing  int32         // 1 when a file is there that could not be executed for ENOENT
	skip     int32         // 1 when the command is not wanted any more
	announce int32         // 1 when the start of a stage is to be reported
	running  uintptr       // process 1's name for the process of the present stage
}

type pollEntry struct {
	fd              int32
	events, revents int16
}

// Kinds of records that process 1 sends. An ordinary run sends one for each
// stage and no more: each wakes the creator, which costs more than most steps.
const (
	recordFailed  = iota + 1 // a set-up step failed: index, errno
	recordStarted            // a stage was started; sent when somebody has asked
	recordNoExec             // a stage could not be executed: index, errno, missing
	recordNoStart            // a step before the execve failed: index, errno
	recordExited             // a stage ended and nothing of it is left: status, usage
	recordStopped            // the command was stopped
)

// record is a message from process 1. Times are monotonic nanoseconds.
type record struct {
	kind, stage  uint32
	index, errno uint32
	missing      uint32
	status       uint32
	maxRSS       int64 // KiB
	user, system int64 // microseconds
	ready        int64 // when the sandbox was made
	started      int64 // when the stage was started
	clock        int64 // when the stage ended
}

// Kinds of requests to process 1.
const (
	requestSignal     = iota + 1 // signal the process group of the present stage
	requestKill                  // SIGKILL for all processes but process 1
	requestSkip                  // do not start the command
	requestForeground            // give the terminal to the command
)

// request is a message to process 1.
type request struct{ kind, signal uint32 }
