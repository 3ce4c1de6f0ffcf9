//go:build amd64 || arm64

package sandbox

import (
	"syscall"
	"unsafe" // and for go:linkname
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
// CLONE_VFORK, with its first two arguments, and zero for the rest.
// It returns twice, with the child first, on one stack: the id of the child, zero
// in the child, or a negative errno.
//
//go:noescape
func vforkClone(number, first, second uintptr) uintptr

// birth is how a process begins that shares the memory of its maker.
type birth struct {
	flags, stack uintptr // of the clone
	entry        uintptr // the code, which finds what follows in the first two registers of Go's calls
	memory       *memory
	orders       *orders
	// born is where the kernel puts the id of the child, before that runs, if flags say so:
	// the maker may be killed before it can tell.
	born int32
}

// cloneOnto makes the system call clone with a stack of its own for the child. It returns
// in the parent only: the id of the child, or a negative errno.
//
//go:noescape
func cloneOnto(b *birth) uintptr

// entryOf gives the address of the code of a function. By its name assembly would
// come to it through a wrapper, which in a program with the race detector calls
// that, and the detector knows nothing of the child.
func entryOf(function func(*memory, *orders)) uintptr {
	return **(**uintptr)(unsafe.Pointer(&function))
}

// fork starts process 1 of a new sandbox, or a keeper, in main. With CLONE_VM it shares the memory of the
// caller: a copy costs the caller a page fault for each page that it writes to while
// process 1 is there. It uses nothing of it but the code and the arena of p, in which
// its stack is as well. All signals are blocked in it.
//
//go:norace
//go:nocheckptr
func fork(p *program, main func(*memory, *orders), flags uintptr) (int, syscall.Errno) {
	b := birth{flags: flags, stack: p.stack, entry: entryOf(main), memory: p.memory, orders: p.orders}
	beforeFork()
	pid := cloneOnto(&b)
	afterFork()
	if failure := -int(pid); failure > 0 {
		return 0, syscall.Errno(failure)
	}
	return int(pid), 0
}
