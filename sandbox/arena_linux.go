//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arenaSize bounds what a program takes: arguments and environment, which the
// kernel holds to 6 MiB, and the steps. Memory is taken page by page as it is used.
const arenaSize = 32 << 20

// arena is memory that process 1 sees at the same addresses: what is written
// to it after the fork reaches process 1 as well. Nothing in it moves, and the
// garbage collector does not know it, so nothing in it may keep Go memory alive.
type arena struct {
	memory []byte
	used   int
	full   bool // something did not fit
}

func newArena() (*arena, error) {
	memory, err := unix.Mmap(-1, 0, arenaSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("sandbox: memory to share with process 1: %w", err)
	}
	return &arena{memory: memory}, nil
}

// free gives the memory back on this side.
func (a *arena) free() {
	if a.memory != nil {
		_ = unix.Munmap(a.memory) // cannot fail for what Mmap gave
		a.memory = nil
	}
}

// rewind takes back what was taken after the first so many bytes.
func (a *arena) rewind(used int) {
	clear(a.memory[used:a.used])
	a.used, a.full = used, false
}

// take returns size bytes that begin at a multiple of eight. When the arena is
// full it says so in full, and the bytes are from elsewhere: the program must
// not be run then.
func (a *arena) take(size int) []byte {
	begin := (a.used + 7) &^ 7
	if begin+size > len(a.memory) {
		a.full = true
		return make([]byte, size)
	}
	a.used = begin + size
	return a.memory[begin : begin+size : begin+size]
}

// place makes room for n values of a type, which are zero.
func place[T any](a *arena, n int) []T {
	if n == 0 {
		return nil
	}
	var one T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(a.take(n*int(unsafe.Sizeof(one)))))), n)
}

// address is where value is.
func address[T any](value *T) operand { return operand{value: uintptr(unsafe.Pointer(value))} }
