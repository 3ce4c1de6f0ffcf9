//go:build amd64 || arm64

package sandbox

import (
	"syscall"
	"unsafe"
)

// register is a place where a step leaves its result, mostly a descriptor, for
// later steps to use.
type register uint8

const (
	regNone    register = iota
	regRoot             // the root of the sandbox
	regContext          // a file system that is being configured
	regMount            // a mount that has no place yet
	regWalk             // a directory on the way to a mount point
	regNext             // the next one, or the mount point itself
	regFile             // a file that is being written
	regSignals          // the signalfd of process 1
	regPID              // the id of a process, as a number in memory
	regGiven            // the first of fdCount descriptors from the creator

	regGroup = regGiven + fdCount // the first of groupFiles descriptors of a control group
)

const registerCount = int(regGroup) + groupFiles

// operand is one argument of a system call: a number or the name of a register
// that holds the number.
type operand struct {
	value uintptr
	reg   register
}

func num[T int | uint | uintptr | uint32 | int64](n T) operand { return operand{value: uintptr(n)} }

func (r register) operand() operand { return operand{reg: r} }

// step is one system call of a plan.
type step struct {
	stage, path string // for the message when it fails
	nr          uintptr
	args        [6]operand
	save        register         // takes the result, unless regNone
	tolerated   [2]syscall.Errno // errors that count as success
	more        uintptr          // how often it is made again, each time with its second argument larger by one
}

// again makes the call so often again, each time with its second argument, a number, larger by one.
func (s *step) again(often uintptr) *step {
	s.more = often
	return s
}

// into keeps the result of the step in a register.
func (s *step) into(r register) *step {
	s.save = r
	return s
}

// tolerate makes errno count as success.
func (s *step) tolerate(errnos ...syscall.Errno) *step {
	copy(s.tolerated[:], errnos)
	return s
}

// call is a step as process 1 reads it.
type call struct {
	nr        uintptr
	args      [6]operand
	save      register
	tolerated [2]syscall.Errno
	more      uintptr
}

// table is a list of steps under construction. What they point to is in arena.
type table struct {
	steps       []step
	arena       *arena
	stage, path string
}

// at sets what the steps that follow are about.
func (t *table) at(stage, path string) { t.stage, t.path = stage, path }

// call adds a step. The result is valid until the next call.
func (t *table) call(nr uintptr, operands ...operand) *step {
	t.steps = append(t.steps, step{stage: t.stage, path: t.path, nr: nr})
	added := &t.steps[len(t.steps)-1]
	copy(added.args[:], operands)
	return added
}

// calls puts steps where process 1 can read them.
func (t *table) calls(steps []step) []call {
	list := place[call](t.arena, len(steps))
	for i := range steps {
		s := &steps[i]
		list[i] = call{s.nr, s.args, s.save, s.tolerated, s.more}
	}
	return list
}

// text gives the address of s as the kernel reads strings.
func (t *table) text(s string) operand {
	memory := t.arena.take(len(s) + 1)
	copy(memory, s)
	return address(unsafe.SliceData(memory))
}

// bytes gives the address of a copy of data, which must not be empty.
func (t *table) bytes(data []byte) operand {
	memory := t.arena.take(len(data))
	copy(memory, data)
	return address(unsafe.SliceData(memory))
}

// vector gives the address of a NULL-terminated list of strings.
func (t *table) vector(list []string) operand {
	pointers := place[uintptr](t.arena, len(list)+1)
	for i, s := range list {
		pointers[i] = t.text(s).value
	}
	return address(unsafe.SliceData(pointers))
}

// object gives the address of a copy of value and its size.
func object[T any](t *table, value T) (location, size operand) {
	copied := &place[T](t.arena, 1)[0]
	*copied = value
	return address(copied), num(unsafe.Sizeof(value))
}
