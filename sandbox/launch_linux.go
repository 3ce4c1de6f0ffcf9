//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"larder/sandbox/cgroup"
)

// box is a running sandbox as its creator sees it.
type box struct {
	arena *arena   // what process 1 works in; freed when that is gone
	conn  *os.File // to process 1; its end is the end of the sandbox
	pid   int
}

// launch forks process 1 of the sandbox that p begins. The kernel takes the greater
// part of a millisecond for namespaces, so process 1 makes most of its own itself,
// and nobody waits: what it is to do can be sent already.
func launch(cfg *Config, p *program) (*box, error) {
	return connected(p, func(control uintptr) (int, syscall.Errno) {
		p.memory.regs[int(regGiven)+fdControl] = control
		return fork(p, processOne, cloneFlags(cfg))
	})
}

// connected has a process born that works in p, and lends it one end of a connection.
func connected(p *program, born func(control uintptr) (pid int, errno syscall.Errno)) (*box, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("sandbox: connect to process 1: %w", err)
	}
	defer unix.Close(pair[1])
	// Above the numbers that process 1 has a use for.
	control, err := unix.FcntlInt(uintptr(pair[1]), unix.F_DUPFD_CLOEXEC, fdCount)
	if err == nil {
		err = unix.SetNonblock(pair[0], true)
	}
	if err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("sandbox: connect to process 1: %w", err)
	}
	pid, errno := born(uintptr(control))
	unix.Close(control)
	if errno != 0 {
		unix.Close(pair[0])
		return nil, &SetupError{Stage: stageClone, Errno: errno}
	}
	return &box{arena: p.arena, conn: os.NewFile(uintptr(pair[0]), "sandbox"), pid: pid}, nil
}

// cloneFlags make process 1. In a directory it has a copy of the memory of the caller:
// it has no capabilities there, so whoever else has none could trace it.
func cloneFlags(cfg *Config) uintptr {
	if cfg.Isolation == Directory {
		return uintptr(unix.SIGCHLD)
	}
	return uintptr(unix.CLONE_VM | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | int(unix.SIGCHLD))
}

// ownNamespaces are those that process 1 makes itself. The clone would hold up the
// caller for them, with all signals blocked and with copies of all its open files.
func (p *program) ownNamespaces(cfg *Config) int {
	flags := unix.CLONE_NEWNS | unix.CLONE_NEWIPC
	if p.kept {
		return flags
	}
	flags |= unix.CLONE_NEWUTS
	if cfg.Network == NetworkNone {
		flags |= unix.CLONE_NEWNET
	}
	return flags
}

// tell sends a request that process 1 waits for, with files. One that is gone has
// said why, for read to find.
func (b *box) tell(r request, files ...int) error {
	conn, err := b.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("sandbox: %s: %w", stageStdio, err)
	}
	data := unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	controlErr := conn.Control(func(fd uintptr) { err = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL) })
	if err = errors.Join(err, controlErr); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("sandbox: %s: %w", stageStdio, err)
	}
	return nil
}

// order sends process 1 on its way, with the standard files of cfg and those of
// the control group.
func (b *box) order(cfg *Config, group *cgroup.Group) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return hostError(stageStdio, "/dev/null", err)
	}
	defer unix.Close(null)
	var files []int
	for _, file := range []*os.File{cfg.Stdin, cfg.Stdout, cfg.Stderr, cfg.Log} {
		number := null
		if file != nil {
			number = int(file.Fd())
		}
		files = append(files, number)
	}
	return b.tell(request{kind: requestGo}, append(files, filesOf(group)...)...)
}

// read waits for the next record; false says that process 1 is gone. When it went
// with a request unread, the socket says so once, ahead of its last words. And the
// kernel looks for a record first and for the end afterwards: when both come in between
// it tells of the end, once, while there is a record (unix_dgram_recvmsg).
func (b *box) read() (record, bool) {
	var r record
	into := unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))
	n, err := b.conn.Read(into)
	for again := 0; again < 2 && (errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET)); again++ {
		n, err = b.conn.Read(into)
	}
	return r, err == nil && n == int(unsafe.Sizeof(r))
}

// readWithin waits for the next record, and not for ever. Who was stopped himself
// meanwhile looks once more.
func (b *box) readWithin(limit time.Duration) (record, bool) {
	defer func() { _ = b.conn.SetReadDeadline(time.Time{}) }()
	for _, wait := range []time.Duration{limit, 10 * time.Millisecond} {
		if err := b.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return record{}, false
		}
		if r, ok := b.read(); ok {
			return r, true
		}
	}
	return record{}, false
}

// ask sends a request. A process 1 that is gone needs none.
func (b *box) ask(r request) {
	_, _ = b.conn.Write(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)))
}

// leave is for a sandbox whose last word has been heard: process 1 has reaped
// all others and is on its way out. The kernel takes its mounts down before it
// can be reaped, which takes the longer the more files the command looked at (10
// ms for 10,000 on an overlay), so that is waited for on the side.
func (b *box) leave() {
	b.conn.Close()
	go func() { _ = b.reap() }()
}

// stuckAfter is how long a sandbox that has to end may take before it is left
// behind: a process that waits in the kernel for another machine's file system
// cannot be ended, and process 1 does not end before it.
const stuckAfter = 5 * time.Second

// close ends the sandbox, if it has not ended, and returns when no process of
// it is left, or when the time for that is over.
func (b *box) close() (isStuck bool, err error) {
	b.conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- b.reap() }()
	select {
	case err := <-ended:
		return false, err
	case <-time.After(stuckAfter):
		return true, nil
	}
}

// reap waits for process 1, whose memory is free then.
func (b *box) reap() error {
	defer b.arena.free()
	if awaitEnd(b.pid) {
		return nil
	}
	for {
		_, err := syscall.Wait4(b.pid, nil, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("sandbox: wait for process 1: %w", err)
		default:
			return nil
		}
	}
}

// awaitEnd waits for a child by a descriptor, and reports false where there is none to
// be had. A call that waits would keep a thread and, until the runtime comes upon
// it, what else that thread has to do.
func awaitEnd(pid int) (isOver bool) {
	descriptor, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(descriptor), "process 1")
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return false
	}
	_ = conn.Read(func(uintptr) bool {
		ended, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		isOver = ended == pid
		return isOver || errors.Is(err, syscall.ECHILD)
	})
	return isOver
}

// destroy kills process 1, and with it all others, whatever it is doing.
func (b *box) destroy() {
	_ = syscall.Kill(b.pid, syscall.SIGKILL)
}
