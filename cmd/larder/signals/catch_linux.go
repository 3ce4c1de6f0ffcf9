//go:build amd64 || arm64

package signals

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catch installs a handler of its own, which writes the number of a signal to a pipe and
// does nothing else: in whatever thread it runs, it needs nothing of Go's runtime.
func catch(to chan<- os.Signal, all []os.Signal) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("make a pipe for signals: %w", err)
	}
	// What wrote to an earlier one may be writing yet, so that stays open.
	setPipe(int32(pipe[1]))
	for _, s := range all {
		number, _ := s.(syscall.Signal)
		if err := handle(number); err != nil {
			return err
		}
	}
	signal.Ignore(syscall.SIGPIPE)
	go read(os.NewFile(uintptr(pipe[0]), "signals"), to)
	return nil
}

// action is struct sigaction as the kernel has it.
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// Flags of an action, as linux/signal.h has them. Where amd64 goes back to is for the
// action to say.
const (
	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saRestart  = 0x10000000
)

// handle has the handler called for a signal, on the stack that each thread of the
// runtime has for signals, and with all others blocked meanwhile.
func handle(s syscall.Signal) error {
	handler, restorer := entries()
	a := action{handler: handler, flags: saOnStack | saRestart, restorer: restorer, mask: ^uint64(0)}
	if restorer != 0 {
		a.flags |= saRestorer
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&a)), 0, unsafe.Sizeof(a.mask), 0, 0); errno != 0 {
		return fmt.Errorf("handle the signal %v: %w", s, errno)
	}
	return nil
}

// read passes on what the handler has written. What finds no room is dropped, as package
// os/signal does.
func read(pipe *os.File, to chan<- os.Signal) {
	var number [4]byte
	for {
		if n, err := pipe.Read(number[:]); err != nil || n != len(number) {
			return // never: the other end stays open, and each number is written whole
		}
		select {
		case to <- syscall.Signal(binary.NativeEndian.Uint32(number[:])):
		default:
		}
	}
}

// setPipe tells the handler where to write to.
func setPipe(descriptor int32)

// entries gives the addresses of the handler, and of what it returns to, or 0 where the
// kernel knows that itself.
func entries() (handler, restorer uintptr)
