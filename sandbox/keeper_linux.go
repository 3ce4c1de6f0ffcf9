//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeper is a process that holds a user, a network and a UTS namespace for the sandboxes
// of a pool, which have them one after the other, and makes their process 1. To make and
// to take down a network namespace costs the kernel as much as all else of a sandbox. In a
// mount namespace of its own it holds a template, of which each process 1 has a copy.
//
// It has a copy of the caller's open files no longer than its first moment, is a child
// of the caller as each process 1 that it makes, and ends when its connection closes.
// Its memory is shared with the caller. No process of a sandbox sees it.
type keeper struct {
	box    *box
	plan   *program
	of     *base     // what its template is of
	since  time.Time // when it was used last
	trace  *trace    // of those who had its namespaces
	owed   *program  // whose process 1 it has not told of; nobody knows whether there is one
	litter []point   // what the last sandbox left in the template
}

// isKept reports whether sandboxes of a kind may have the namespaces of a keeper. A
// process that may make namespaces has capabilities in them, and what it could leave
// in those that it comes from has no end.
func isKept(cfg *Config) bool { return cfg.Network == NetworkNone && !cfg.AllowUserns }

// newKeeper starts a keeper, and does not wait for its namespaces.
func newKeeper(of *base) (*keeper, error) {
	plan, err := newProgram()
	if err != nil {
		return nil, err
	}
	plan.keepNamespaces(of)
	if err = plan.fits(); err != nil {
		plan.arena.free()
		return nil, err
	}
	k := &keeper{plan: plan, of: of}
	k.box, err = connected(plan, func(control uintptr) (int, syscall.Errno) {
		plan.memory.regs[int(regGiven)+fdControl] = control
		return fork(plan, keep, unix.CLONE_VM|unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD))
	})
	if err != nil {
		plan.arena.free()
		return nil, err
	}
	return k, nil
}

// keepNamespaces is what a keeper does before anything. What it gives up, those have not
// whom it makes.
func (p *program) keepNamespaces(of *base) {
	t := &table{arena: p.arena}
	t.holdNothing()
	t.mapUser(of.facts.uid, of.facts.gid)
	t.at(stageClone, "")
	t.call(unix.SYS_UNSHARE, num(unix.CLONE_NEWNET|unix.CLONE_NEWUTS|unix.CLONE_NEWNS))
	t.bringUpLoopback()
	t.leaveNothingToDo()
	t.nameHost(&of.cfg)
	t.dropBounds()
	root := layOutBase(&of.cfg, of.facts)
	t.layTemplate(pathSet{"/": true}, &root)
	p.setup, p.orders.apart = t.steps, t.calls(t.steps)
}

// launch has the keeper make process 1 for a program. When it fails the keeper has to be
// closed, and the program is that of the leaver.
func (k *keeper) launch(p *program) (*box, error) {
	k.owed = p
	p.litter = k.litter
	k.plan.orders.birth = birth{
		flags: unix.CLONE_VM | unix.CLONE_PARENT | unix.CLONE_PARENT_SETTID | unix.CLONE_NEWPID, stack: p.stack, entry: entryOf(processOneOfKeeper),
		memory: p.memory, orders: p.orders,
	}
	var failure error
	made, err := connected(p, func(control uintptr) (int, syscall.Errno) {
		if failure = k.box.tell(request{kind: requestBirth}, int(control)); failure != nil {
			return 0, 0
		}
		var pid int
		pid, failure = k.answer()
		return pid, 0
	})
	if err == nil && failure != nil {
		made.conn.Close()
		return nil, failure
	}
	if err != nil {
		return nil, err
	}
	k.owed = nil
	if k.trace == nil {
		k.trace = newTrace(k.box.pid)
	}
	return made, nil
}

// answer waits for the id of the process 1 that was asked for.
func (k *keeper) answer() (pid int, err error) {
	r, ok := k.box.readWithin(stuckAfter)
	switch {
	case !ok:
		return 0, fmt.Errorf("sandbox: %s: the process that keeps them has ended, or was stopped", stageClone)
	case r.kind == recordFailed:
		return 0, k.plan.setupError(r)
	case int32(r.status) < 0:
		return 0, &SetupError{Stage: stageClone, Errno: syscall.Errno(-int32(r.status))}
	}
	return int(r.status), nil
}

// close ends the keeper, also one that was stopped, and returns what is left to be
// waited for.
func (k *keeper) close() leaver {
	k.box.conn.Close()
	k.box.destroy()
	k.trace.close()
	return leaver{pid: k.box.pid, plan: k.plan, owed: k.owed}
}

// What follows runs in the keeper, by the rules of process 1 (see init_linux.go).

// keep makes the namespaces, and then process 1 of one sandbox after the other. Each
// comes with the other end of its connection.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func keep(m *memory, o *orders) {
	connect(m)
	forgetSignals(m)
	if !follow(m, o.apart) {
		fail(m, 0)
	}
	for await(m, requestBirth) {
		control := uintptr(m.control.files[0])
		o.birth.memory.regs[int(regGiven)+fdControl] = control
		m.status = int32(cloneOnto(&o.birth))
		syscall.RawSyscall6(syscall.SYS_CLOSE, control, 0, 0, 0, 0, 0)
		send(m, recordBorn, 0)
	}
	quit(0)
}

// processOneOfKeeper is processOne for what a keeper has made, from which it has that no
// signal is handled, and the standard files.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func processOneOfKeeper(m *memory, o *orders) {
	m.begun = 1
	connect(m)
	inhabit(m, o)
}
