//go:build amd64 || arm64

package sandbox

import (
	"runtime"
	"syscall"
	_ "unsafe" // for go:linkname
)

// The runtime's own preparation for a fork: it blocks all signals and makes
// any growth of the stack fatal, so that what happens between fork and exec is
// bound to be simple. Package syscall uses the same three functions, and the
// runtime keeps them linkable for programs such as this.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

// vforkClone makes the system call number, clone or clone3, whose flags hold
// CLONE_VM and CLONE_VFORK, with its first two arguments, and zero for the rest.
// It returns twice, with the child first, on one stack: the id of the child, zero
// in the child, or a negative errno.
//
//go:noescape
func vforkClone(number, first, second uintptr) uintptr

// fork starts process 1 of a new sandbox. The child works through p and never
// returns. Its memory is a copy of the caller's, of which nothing but p and
// the stack is used; all signals stay blocked in it.
//
//go:norace
//go:nocheckptr
func fork(p *program, flags uintptr) (int, syscall.Errno) {
	pid, errno := forkLocked(p, flags)
	runtime.KeepAlive(p)
	return int(pid), errno
}

//go:norace
//go:noinline
//go:nocheckptr
func forkLocked(p *program, flags uintptr) (uintptr, syscall.Errno) {
	beforeFork()
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		processOne(p)
	}
	afterFork()
	return pid, errno
}
