//go:build amd64 || arm64

package sandbox

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hurry has a process 1 that still waits for the processor of its creator begin on
// another one. The kernel puts a new process where its maker is when the other processors
// are busy at that moment, and does not move it when they are no more: it waited a
// millisecond in every seventh run. What cannot be done is no fault.
func (b *box) hurry(p *program) {
	var here uint32
	if atomic.LoadInt32(&p.memory.begun) != 0 {
		return
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&here)), 0, 0); errno != 0 {
		return
	}
	var all unix.CPUSet
	if unix.SchedGetaffinity(b.pid, &all) != nil {
		return
	}
	others := all
	others.Clear(int(here))
	if others.Count() > 0 && unix.SchedSetaffinity(b.pid, &others) == nil {
		_ = unix.SchedSetaffinity(b.pid, &all)
	}
}
