//go:build amd64 || arm64

package sandbox

import (
	"time"

	"golang.org/x/sys/unix"

	"larder/sandbox/cgroup"
)

// planStages says how each of the three processes is started.
func (t *table) planStages(cfg *Config, f facts, p *program) {
	env := t.vector(cfg.Env)
	for stage, args := range [stageCount][]string{cfg.Setup, cfg.Args, cfg.Teardown} {
		if len(args) == 0 {
			continue
		}
		child := &table{arena: t.arena}
		child.at(stageChild, args[0])
		child.enterGroup(f.group)
		child.at(stageChild, args[0])
		child.planProcess(cfg, p.memory, stage)
		child.limit(cfg.Limits, f, p.besides())
		child.unblockSignals()
		if cloned(f.group) {
			child.filterCalls(cfg, p.orders.filter)
		}
		files := candidates(args[0], cfg.Env)
		p.stages[stage] = process{args[0], child.steps, files}
		p.orders.stages[stage] = order{wanted: true, flags: stageFlags(cfg.Limits), clone: t.cloneInto(stageFlags(cfg.Limits), f.group), steps: t.calls(child.steps), attempts: t.attempts(files), argv: t.vector(args).value, env: env.value}
	}
}

// planProcess is what a process does before its execve.
func (t *table) planProcess(cfg *Config, m *memory, stage int) {
	if cfg.Isolation == Directory { // process 1 is within reach of a SIGKILL here
		t.call(unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	}
	if stage == stageCommand && cfg.Terminal {
		t.call(unix.SYS_SETPGID, num(0), num(0))
		t.call(unix.SYS_GETPID).into(regPID)
		pid := address(&m.regs[regPID])
		t.call(unix.SYS_IOCTL, num(fdStdin), num(unix.TIOCSPGRP), pid)
	} else {
		t.call(unix.SYS_SETSID)
	}
	if stage != stageCommand {
		t.call(unix.SYS_OPENAT, atCWD, t.text("/dev/null"), num(unix.O_RDONLY)).into(regFile)
		t.call(unix.SYS_DUP3, regFile.operand(), num(fdStdin), num(0))
		t.call(unix.SYS_DUP3, num(fdLog), num(fdStdout), num(0))
		t.call(unix.SYS_DUP3, num(fdLog), num(fdStderr), num(0))
	}
	t.call(unix.SYS_CLOSE_RANGE, num(fdStderr+1), num(uint32(^uint32(0))), num(0))
}

// attempts gives the files of one execve after the other.
func (t *table) attempts(files []string) []uintptr {
	list := place[uintptr](t.arena, len(files))
	for i, file := range files {
		list[i] = t.text(file).value
	}
	return list
}

func (t *table) unblockSignals() {
	mask, size := object(t, uint64(0))
	t.call(unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), mask, num(0), size)
}

// besides counts the processes in the user namespace of the sandbox that are not
// those of a stage: process 1, and its keeper.
func (p *program) besides() uint64 {
	if p.kept {
		return 2
	}
	return 1
}

// limit sets resource limits, beside so many processes that count and are not
// meant. The Go runtime has raised the number of open files for itself; programs
// get the customary one back, and may raise it.
func (t *table) limit(l Limits, f facts, besides uint64) {
	seconds := uint64((l.CPUTime + time.Second - 1) / time.Second)
	memory, processes := l.Memory, l.Processes
	if f.group.Holds(cgroup.Memory) {
		memory = 0
	}
	if processes += besides; processes == besides || f.group.Holds(cgroup.Processes) {
		processes = 0
	}
	t.setLimit(unix.RLIMIT_CORE, unix.Rlimit{})
	t.setLimit(unix.RLIMIT_NOFILE, unix.Rlimit{Cur: min(customaryFiles, f.openFiles), Max: f.openFiles})
	for _, limit := range []struct {
		resource   int
		soft, hard uint64
	}{
		{unix.RLIMIT_CPU, seconds, seconds + 1},
		{unix.RLIMIT_DATA, memory, memory},
		{unix.RLIMIT_FSIZE, l.FileSize, l.FileSize},
		{unix.RLIMIT_NPROC, processes, processes},
	} {
		if limit.soft > 0 {
			t.setLimit(limit.resource, unix.Rlimit{Cur: limit.soft, Max: limit.hard})
		}
	}
}

// What every program may expect, whatever larder has asked for itself.
const (
	customaryFiles = 1024
	customarySlack = 50_000 // of timers, in nanoseconds
)

func (t *table) setLimit(resource int, limit unix.Rlimit) {
	location, _ := object(t, limit)
	t.call(unix.SYS_PRLIMIT64, num(0), num(resource), location, num(0))
}
