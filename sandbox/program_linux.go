//go:build amd64 || arm64

package sandbox

import (
	"maps"
	"syscall"
	"unsafe"
)

// Stages of the life of a sandbox, in their order.
const (
	stageSetup = iota
	stageCommand
	stageTeardown
	stageCount
)

// Descriptors that process 1 has from its creator.
const (
	fdStdin = iota
	fdStdout
	fdStderr
	fdLog
	fdControl
	fdCount
)

// program is a plan in two parts. Process 1 begins with the first while the
// second is made, and is itself made before there is any.
type program struct {
	arena  *arena
	stack  uintptr // of process 1, in arena: its upper end
	memory *memory // in arena
	orders *orders // in arena
	// What messages need to know.
	setup  []step // of all parts
	stages [stageCount]process
	// What the second part needs to know of the first.
	root   tree
	placed []mount
	made   pathSet
	laid   *layout // of a program that can be used again
	kept   bool    // its user and network namespaces are those of a keeper
	litter []point // what is in the template of that, of the sandboxes before
	leaves []point // what the second part leaves there
}

// layout is the first part of a program, as far as a second one adds to it.
type layout struct {
	of    *base
	used  int // of the arena
	steps int
	made  pathSet
}

// lay notes the first part, of a base, so that recycle comes back to it.
func (p *program) lay(of *base) {
	p.laid = &layout{of: of, used: p.arena.used, steps: len(p.setup), made: p.made}
	p.made = maps.Clone(p.laid.made)
	p.orders.laid = 1
}

// recycle takes everything out of the program but its first part. Its process 1
// must be gone.
func (p *program) recycle() {
	p.arena.rewind(p.laid.used)
	p.setup, p.made = p.setup[:p.laid.steps], maps.Clone(p.laid.made)
	*p.memory, p.stages, p.litter, p.leaves = memory{}, [stageCount]process{}, nil, nil
	*p.orders = orders{apart: p.orders.apart, base: p.orders.base, filter: p.orders.filter, laid: 1}
	p.prepareMessage()
}

// stackSize is far more than the functions of process 1 need, which cannot make
// it grow: the linker holds them to 800 bytes. Without optimisation they need more,
// so a build for a debugger has to leave this package out of -gcflags='all=-N -l'.
const stackSize = 16 << 10

// newProgram makes a plan that is empty.
func newProgram() (*program, error) {
	shared, err := newArena()
	if err != nil {
		return nil, err
	}
	p := &program{arena: shared, memory: &place[memory](shared, 1)[0], orders: &place[orders](shared, 1)[0]}
	stack := shared.take(stackSize)
	p.stack = uintptr(unsafe.Pointer(unsafe.SliceData(stack))) + stackSize
	p.prepareMessage()
	return p, nil
}

// fits says when the plan is larger than its arena. Process 1 must not see it then.
func (p *program) fits() error {
	if p.arena.full {
		return configError("arguments, environment, files and mounts take more than %d MiB; make them fewer", arenaSize>>20)
	}
	return nil
}

// process is one of the three stages as messages name it.
type process struct {
	program string // as the caller named it
	steps   []step
	files   []string // one for each execve to try
}

// orders is a plan as process 1 reads it.
type orders struct {
	apart    []call // there from the beginning
	base     []call // there when requestBase comes, or also from the beginning
	laid     int32  // 1 when base is there from the beginning
	setup    []call // there, as all that follows, when requestGo comes
	stages   [stageCount]order
	filter   uintptr // of system calls, a struct sock_fprog; there with base
	announce int32   // 1 when the start of a stage is to be reported
	stays    int32   // 1 when process 1 of a run that nobody disturbs is to stay until its creator has gone
	birth    birth   // for a keeper; there when requestBirth comes
}

// order is how process 1 starts one stage.
type order struct {
	wanted    bool
	flags     uint64     // for the clone of its process
	clone     *cloneArgs // when it is made by clone3, else nil
	steps     []call
	attempts  []uintptr // paths, one execve each
	argv, env uintptr
}

// memory is what process 1 writes to. Its creator looks at begun, and at no more of it.
type memory struct {
	regs    [registerCount]uintptr
	record  record
	request request
	usage   syscall.Rusage
	clock   syscall.Timespec
	poll    [2]pollEntry
	action  [4]uintptr // a sigaction that says SIG_DFL
	signals [128]byte
	status  int32
	failed  int32         // index of the step or attempt that failed, -1: none
	best    int32         // index of the attempt whose error tells most
	errno   syscall.Errno // why it failed
	begun   int32         // 1 when it has run at all
	stage   uint32        // which one is running, counted from 1
	missing int32         // 1 when a file is there that could not be executed for ENOENT
	skip    int32         // 1 when the command is not wanted any more
	asked   int32         // 1 when the creator has asked for anything since requestGo
	running uintptr       // process 1's name for the process of the present stage
	message message
	vector  [2]uintptr // struct iovec of message
	control descriptors
	// In a directory, the path of the file that lists the children of process 1,
	// and what it said; in namespaces 0.
	children uintptr
	listed   [4096]byte
}

// message is struct msghdr.
type message struct {
	name       uintptr
	nameSize   uint32
	_          uint32
	vector     uintptr
	vectorSize uintptr
	control    uintptr
	size       uintptr
	flags      int32
	_          int32
}

// descriptors is a control message with the files from the creator.
type descriptors struct {
	_     uintptr // how long the message is
	_     int32   // its level
	kind  int32
	files [fdControl + groupFiles]int32
}

// prepareMessage says where process 1 takes the order to go on, and the files
// that come with it.
func (p *program) prepareMessage() {
	m := p.memory
	m.vector = [2]uintptr{address(&m.request).value, unsafe.Sizeof(m.request)}
	m.message = message{vector: address(&m.vector).value, vectorSize: 1, control: address(&m.control).value, size: unsafe.Sizeof(m.control)}
}

type pollEntry struct {
	fd              int32
	events, revents int16
}

// Kinds of records that process 1 sends. An ordinary run sends one for each
// stage and no more: each wakes the creator, which costs more than most steps.
const (
	recordFailed  = iota + 1 // a set-up step failed: index, errno
	recordStarted            // a stage was started; sent when somebody has asked
	recordNoExec             // a stage could not be executed: index, errno, missing
	recordNoStart            // a step before the execve failed: index, errno
	recordExited             // a stage ended and nothing of it is left: status, usage
	recordStopped            // the command was stopped
	recordLingers            // a stage ended, and others of it are being killed: status, usage
	recordBorn               // a keeper has made a process 1: its id as status, or the negative errno
)

// record is a message from process 1. Times are monotonic nanoseconds.
type record struct {
	kind, stage  uint32
	index, errno uint32
	missing      uint32
	status       uint32
	maxRSS       int64 // KiB
	user, system int64 // microseconds
	ready        int64 // when the sandbox was made
	started      int64 // when the stage was started
	clock        int64 // when the stage ended
}

// Kinds of requests to process 1.
const (
	requestSignal     = iota + 1 // signal the process group of the present stage
	requestKill                  // SIGKILL for all processes but process 1, in any stage or in one
	requestSkip                  // do not start the command
	requestForeground            // give the terminal to the command
	requestBase                  // the first part of the plan is there
	requestGo                    // the second part is there; brings the standard files
	requestBirth                 // to a keeper, to make a process 1; brings its end of the connection
)

// request is a message to process 1. With requestKill, signal is the stage that it
// is meant for, counted from 1, or 0 for any.
type request struct{ kind, signal uint32 }
