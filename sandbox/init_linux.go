//go:build amd64 || arm64

package sandbox

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Everything in this file runs in process 1, which mostly shares the memory of the
// calling process, but no Go runtime. So: raw system calls only, no allocation,
// no growth of the stack, no locks, no stores of pointers, nothing of Go's heap.
// All memory that is written is in an arena. With the race detector and coverage
// together it would not be: the counters are calls of the detector then.

// processOne is the whole life of process 1 of a sandbox that has nothing from others.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func processOne(m *memory, o *orders) {
	m.begun = 1
	connect(m)
	forgetSignals(m)
	inhabit(m, o)
}

// forgetSignals makes all signals mean what they mean to a new program. What the caller
// ignores or handles is no concern of the processes of a sandbox.
//
//go:nosplit
//go:norace
//go:nocheckptr
func forgetSignals(m *memory) {
	for signal := uintptr(1); signal <= 64; signal++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&m.action)), 0, 8, 0, 0)
	}
}

// inhabit makes the sandbox, runs the three stages, and ends.
//
//go:nosplit
//go:norace
//go:nocheckptr
func inhabit(m *memory, o *orders) {
	if !follow(m, o.apart) {
		fail(m, 0)
	}
	if o.laid == 0 && !await(m, requestBase) {
		quit(1)
	}
	if !follow(m, o.base) {
		fail(m, len(o.apart))
	}
	if !await(m, requestGo) {
		quit(1)
	}
	take(m)
	if !follow(m, o.setup) {
		fail(m, len(o.apart)+len(o.base))
	}
	m.poll[0] = pollEntry{fd: int32(m.regs[regSignals]), events: unix.POLLIN}
	m.poll[1] = pollEntry{fd: fdControl, events: unix.POLLIN}
	m.record.ready = now(m)
	for stage := uint32(0); stage < stageCount; stage++ {
		if !o.stages[stage].wanted || stage == stageCommand && m.skip != 0 {
			continue
		}
		if !live(o, m, stage) && stage == stageSetup {
			m.skip = 1
		}
	}
	if o.stays != 0 && m.asked == 0 {
		attend(m)
	}
	quit(0)
}

// attend returns when the creator is gone, or asks for anything: it wants the run to end,
// and waits for this process then. Whoever reads what the stages wrote is not to wait for
// that: a command that was never started has not let go of it.
//
//go:nosplit
//go:norace
//go:nocheckptr
func attend(m *memory) {
	syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, 0, fdControl-1, 0, 0, 0, 0)
	for {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_READ, fdControl, uintptr(unsafe.Pointer(&m.request)), unsafe.Sizeof(m.request), 0, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

// fail reports the step of a part that begins at step begin, and ends.
//
//go:nosplit
//go:norace
//go:nocheckptr
func fail(m *memory, begin int) {
	m.failed += int32(begin)
	send(m, recordFailed, 0)
	quit(1)
}

// connect closes all that the fork inherited but the connection to the creator. It
// comes first: until then no file that the creator has just written can be executed.
//
//go:nosplit
//go:norace
func connect(m *memory) {
	syscall.RawSyscall6(syscall.SYS_DUP3, m.regs[int(regGiven)+fdControl], fdControl, 0, 0, 0, 0)
	syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, fdCount, uintptr(^uint32(0)), 0, 0, 0, 0)
}

// await sleeps until the creator says that a part of the plan is there. It
// reports false when the creator is gone, or wants no sandbox any more.
//
//go:nosplit
//go:norace
//go:nocheckptr
func await(m *memory, kind uint32) bool {
	for {
		m.message.size = unsafe.Sizeof(m.control) // the kernel leaves what it used
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVMSG, fdControl, uintptr(unsafe.Pointer(&m.message)), unix.MSG_CMSG_CLOEXEC, 0, 0, 0)
		if errno != syscall.EINTR {
			return errno == 0 && n == unsafe.Sizeof(m.request) && m.request.kind == kind
		}
	}
}

// take puts the files that came with the last request into registers. Those of
// a control group that did not come are not used.
//
//go:nosplit
//go:norace
func take(m *memory) {
	if m.control.kind != unix.SCM_RIGHTS {
		quit(1)
	}
	for i := 0; i < fdControl; i++ {
		m.regs[int(regGiven)+i] = uintptr(m.control.files[i])
	}
	for i := 0; i < groupFiles; i++ {
		m.regs[int(regGroup)+i] = uintptr(m.control.files[fdControl+i])
	}
}

// follow makes the calls of steps in order. On an error that is not tolerated
// it leaves index and errno in m and reports false.
//
//go:nosplit
//go:norace
//go:nocheckptr
func follow(m *memory, steps []call) bool {
	m.failed = -1
	for i := range steps {
		s := &steps[i]
		for turn := uintptr(0); turn <= s.more; turn++ {
			result, _, errno := syscall.RawSyscall6(s.nr, value(m, &s.args[0]), value(m, &s.args[1])+turn, value(m, &s.args[2]),
				value(m, &s.args[3]), value(m, &s.args[4]), value(m, &s.args[5]))
			if errno != 0 && errno != s.tolerated[0] && errno != s.tolerated[1] {
				m.failed, m.errno = int32(i), errno
				return false
			}
			if s.save != regNone {
				m.regs[s.save] = result
			}
		}
	}
	return true
}

//go:nosplit
//go:norace
func value(m *memory, o *operand) uintptr {
	if o.reg != regNone {
		return m.regs[o.reg]
	}
	return o.value
}

// live runs one stage from its start to the end of its last process, and
// reports whether it succeeded.
//
//go:nosplit
//go:norace
//go:nocheckptr
func live(o *orders, m *memory, stage uint32) bool {
	plan := &o.stages[stage]
	m.record.started, m.stage = now(m), stage+1
	m.running = spawn(plan, m)
	if int(m.running) < 0 {
		m.failed, m.errno = 0, syscall.Errno(-int(m.running))
		send(m, recordNoStart, stage)
		return false
	}
	if m.failed >= 0 {
		collect(m)
		if m.failed >= int32(len(plan.steps)) {
			m.failed -= int32(len(plan.steps))
			send(m, recordNoExec, stage)
		} else {
			send(m, recordNoStart, stage)
		}
		return false
	}
	if o.announce != 0 {
		send(m, recordStarted, stage)
	}
	if stage == stageCommand {
		letGo()
	}
	for !reap(m, stage) {
		wait(m)
	}
	status := m.status
	if !alone(m) {
		m.status = status
		send(m, recordLingers, stage)
	}
	collect(m)
	m.status = status
	send(m, recordExited, stage)
	return status == 0
}

// letGo closes the output of the command, which the tear-down has no use for. Whoever
// reads it sees the end with the end of the command then, and not with that of this
// process, which takes the kernel longer.
//
//go:nosplit
//go:norace
func letGo() {
	syscall.RawSyscall6(syscall.SYS_CLOSE, fdStdout, 0, 0, 0, 0, 0)
	syscall.RawSyscall6(syscall.SYS_CLOSE, fdStderr, 0, 0, 0, 0, 0)
}

// spawn starts the process of a stage. It returns when that has become
// another program, or has failed and said so in m, which it shares
// until then.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func spawn(plan *order, m *memory) uintptr {
	m.failed = -1
	number, how, size := uintptr(syscall.SYS_CLONE), uintptr(plan.flags)|uintptr(syscall.SIGCHLD), uintptr(0)
	if plan.clone != nil {
		plan.clone.group = uint64(m.regs[regGroup])
		number, how, size = unix.SYS_CLONE3, uintptr(unsafe.Pointer(plan.clone)), unsafe.Sizeof(*plan.clone)
	}
	pid := vforkClone(number, how, size)
	if pid == 0 {
		become(plan, m)
	}
	return pid
}

// become turns the new process into the program of the stage.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func become(plan *order, m *memory) {
	if !follow(m, plan.steps) {
		quit(127)
	}
	m.errno, m.missing, m.best = syscall.ENOENT, 0, 0
	for i := range plan.attempts {
		if !remember(m, plan.attempts[i], enter(plan, m, i), i) {
			break
		}
	}
	m.failed = m.best + int32(len(plan.steps))
	quit(127)
}

// busyTries bounds how long a program may be open for writing, in milliseconds.
const busyTries = 1000

// enter makes one execve, and returns why it failed. A file that was written a
// moment ago is still open for writing in every process 1 that was made
// meanwhile, until that has come as far as connect, so it is tried again.
//
//go:nosplit
//go:norace
//go:nocheckptr
func enter(plan *order, m *memory, index int) syscall.Errno {
	for try := 0; ; try++ {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_EXECVE, plan.attempts[index], plan.argv, plan.env, 0, 0, 0)
		if errno != syscall.ETXTBSY || try == busyTries {
			return errno
		}
		m.clock.Sec, m.clock.Nsec = 0, 1e6
		syscall.RawSyscall6(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&m.clock)), 0, 0, 0, 0, 0)
	}
}

// remember keeps the error that tells most about a failed execve, and reports
// whether the next place should be tried: as along a PATH anywhere else, a
// file that may not be executed counts only when nothing better follows.
//
//go:nosplit
//go:norace
//go:nocheckptr
func remember(m *memory, path uintptr, errno syscall.Errno, index int) bool {
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		_, _, absent := syscall.RawSyscall6(syscall.SYS_FACCESSAT, ^uintptr(99), path, 0, 0, 0, 0)
		if absent == 0 {
			m.errno, m.missing, m.best = errno, 1, int32(index)
			return false
		}
		return true
	case syscall.EACCES:
		if m.errno == syscall.ENOENT {
			m.errno, m.best = errno, int32(index)
		}
		return true
	}
	m.errno, m.best = errno, int32(index)
	return false
}

// wait sleeps until a child changes or a request comes, and serves requests.
// Without a creator there is nothing left to live for.
//
//go:nosplit
//go:norace
//go:nocheckptr
func wait(m *memory) {
	syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&m.poll)), 2, 0, 0, 0, 0)
	if m.poll[0].revents != 0 {
		syscall.RawSyscall6(syscall.SYS_READ, m.regs[regSignals], uintptr(unsafe.Pointer(&m.signals)), unsafe.Sizeof(m.signals), 0, 0, 0)
	}
	if m.poll[1].revents == 0 {
		return
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_READ, fdControl, uintptr(unsafe.Pointer(&m.request)), unsafe.Sizeof(m.request), 0, 0, 0)
	if errno == syscall.EINTR {
		return
	}
	if errno != 0 || n != unsafe.Sizeof(m.request) {
		if m.children != 0 {
			collect(m)
		}
		quit(1)
	}
	m.asked = 1
	serve(m)
}

//go:nosplit
//go:norace
//go:nocheckptr
func serve(m *memory) {
	switch m.request.kind {
	case requestSignal:
		kill(-int(m.running), uintptr(m.request.signal))
	case requestKill:
		if m.request.signal == 0 || m.request.signal == m.stage {
			slay(m)
		}
	case requestSkip:
		m.skip = 1
	case requestForeground:
		m.regs[regPID] = m.running
		syscall.RawSyscall6(syscall.SYS_IOCTL, fdStdin, syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&m.regs[regPID])), 0, 0, 0)
	}
}

//go:nosplit
//go:norace
func kill(pid int, signal uintptr) {
	syscall.RawSyscall6(syscall.SYS_KILL, uintptr(pid), signal, 0, 0, 0, 0)
}

// reap takes in all children that have ended and reports whether the process
// of the stage is among them; its status and usage are then in m.
//
//go:nosplit
//go:norace
//go:nocheckptr
func reap(m *memory, stage uint32) bool {
	for {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&m.status)),
			unix.WNOHANG|unix.WUNTRACED, uintptr(unsafe.Pointer(&m.usage)), 0, 0)
		switch {
		case errno != 0 || pid == 0:
			return false
		case pid != m.running:
		case m.status&0xff == 0x7f:
			send(m, recordStopped, stage)
		default:
			measure(m)
			return true
		}
	}
}

// measure keeps when and at what price the process of a stage ended.
//
//go:nosplit
//go:norace
func measure(m *memory) {
	m.record.maxRSS = m.usage.Maxrss
	m.record.user = m.usage.Utime.Sec*1e6 + m.usage.Utime.Usec
	m.record.system = m.usage.Stime.Sec*1e6 + m.usage.Stime.Usec
	m.record.clock = now(m)
}

//go:nosplit
//go:norace
//go:nocheckptr
func now(m *memory) int64 {
	syscall.RawSyscall6(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&m.clock)), 0, 0, 0, 0)
	return m.clock.Sec*1e9 + m.clock.Nsec
}

// slay kills every process but this one and reports whether it could. In a
// directory it knows those that have no other parent than this process: what they
// have started comes to this process as they end, for the next time. The group of
// the stage dies as a whole, so that none of it can outrun this by forking.
//
//go:nosplit
//go:norace
//go:nocheckptr
func slay(m *memory) bool {
	if m.children == 0 {
		kill(-1, uintptr(syscall.SIGKILL))
		return true
	}
	if int(m.running) > 1 {
		kill(-int(m.running), uintptr(syscall.SIGKILL))
	}
	file, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, ^uintptr(99), m.children, syscall.O_RDONLY|syscall.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return false
	}
	size, _, errno := syscall.RawSyscall6(syscall.SYS_READ, file, uintptr(unsafe.Pointer(&m.listed)), unsafe.Sizeof(m.listed), 0, 0, 0)
	syscall.RawSyscall6(syscall.SYS_CLOSE, file, 0, 0, 0, 0, 0)
	pid := 0
	for i := 0; errno == 0 && i < int(size); i++ {
		if digit := m.listed[i]; digit >= '0' && digit <= '9' {
			pid = pid*10 + int(digit-'0')
			continue
		}
		if pid > 1 {
			kill(pid, uintptr(syscall.SIGKILL))
		}
		pid = 0
	}
	return errno == 0
}

// collect kills every process but this one and returns when none is left. What
// a fork was making while the signals went out is caught by the next round. What
// cannot be killed, for want of /proc in a directory, is not waited for.
//
//go:nosplit
//go:norace
//go:nocheckptr
func collect(m *memory) {
	for {
		how := uintptr(0)
		if !slay(m) {
			how = unix.WNOHANG
		}
		ended, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), 0, how, 0, 0, 0)
		if ended == 0 {
			return
		}
		for errno == 0 {
			var pid uintptr
			pid, _, errno = syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), 0, unix.WNOHANG, 0, 0, 0)
			if pid == 0 {
				break
			}
		}
		if errno == syscall.ECHILD {
			return
		}
	}
}

// alone kills every process but this one and reports whether there was none. A
// process that waits in the kernel for another machine does not end before that
// answers, so the creator hears how the stage went before it is collected.
//
//go:nosplit
//go:norace
//go:nocheckptr
func alone(m *memory) bool {
	slay(m)
	for {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), 0, unix.WNOHANG, 0, 0, 0)
		if errno != 0 || pid == 0 {
			return errno == syscall.ECHILD
		}
	}
}

// send reports to the creator. When that is gone, so is the reason to go on.
//
//go:nosplit
//go:norace
//go:nocheckptr
func send(m *memory, kind, stage uint32) {
	m.record.kind, m.record.stage = kind, stage
	m.record.index, m.record.errno, m.record.missing = uint32(m.failed), uint32(m.errno), uint32(m.missing)
	m.record.status = uint32(m.status)
	syscall.RawSyscall6(syscall.SYS_WRITE, fdControl, uintptr(unsafe.Pointer(&m.record)), unsafe.Sizeof(m.record), 0, 0, 0)
}

//go:nosplit
//go:norace
func quit(code uintptr) {
	for {
		syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0)
	}
}
