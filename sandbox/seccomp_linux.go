//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// The filter allows what is not refused: the namespaces are the wall, and the
// filter keeps the parts of the kernel out of reach that serve only to climb
// it, or that no build tool has a use for. Refused calls give EPERM, except
// those for which a C library has another way when it sees ENOSYS.

// Offsets in struct seccomp_data.
const (
	dataNumber      = 0
	dataArch        = 4
	dataArgs        = 16
	argSize         = 8
	instructionSize = 8
	cloneNewAll     = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME
)

// verdict is what happens to a system call.
type verdict uint32

// flowLabels is the option IPV6_FLOWLABEL_MGR.
const flowLabels = 32

// ioprioWhoUser names all processes of a user to ioprio_set.
const ioprioWhoUser = 3

const (
	allowed verdict = unix.SECCOMP_RET_ALLOW
)

func refused(errno syscall.Errno) verdict { return verdict(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

// instruction is struct sock_filter, one step of the filter.
type instruction struct {
	op       uint16
	yes, no  uint8 // how many instructions a jump skips
	constant uint32
}

func load(offset uint32) instruction {
	return instruction{op: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, constant: offset}
}

// argument loads the low half of an argument; what is compared here is 32 bits
// wide in the kernel too.
func argument(index uint32) instruction { return load(dataArgs + index*argSize) }

func ret(v verdict) instruction {
	return instruction{op: unix.BPF_RET | unix.BPF_K, constant: uint32(v)}
}

// unless skips the next instruction when the accumulator compares with value.
func unless(comparison uint16, value uint32) instruction {
	return instruction{op: unix.BPF_JMP | unix.BPF_K | comparison, yes: 1, constant: value}
}

// rule decides on one system call: always the same, or, with body, by the
// instructions there, which end in returns.
type rule struct {
	number  uint32
	verdict verdict
	body    []instruction
}

// refusedCalls are the calls that are refused whatever their arguments. Tracing
// is not among them: leak checkers of compilers need it, and the kernel lets a
// process trace only its equals in the sandbox.
func refusedCalls() []uint32 {
	return []uint32{
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_VHANGUP, unix.SYS_NFSSERVCTL,
		unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
		unix.SYS_FANOTIFY_INIT, unix.SYS_PIDFD_GETFD,
	}
}

// nestingCalls make a sandbox in a sandbox. They are refused unless that is
// wanted: with capabilities in a namespace of its own, a process reaches parts
// of the kernel that were written for root.
func nestingCalls() []uint32 {
	return []uint32{
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT,
		unix.SYS_FSPICK, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_SETNS, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	}
}

// namespaceRules decide on new namespaces. Of cgroup namespaces there are none
// even where others are wanted: root's user could change limits in them.
func namespaceRules(cfg *Config) []rule {
	if cfg.AllowUserns {
		return []rule{
			{number: unix.SYS_CLONE, body: noneOf(unix.CLONE_NEWCGROUP)},
			{number: unix.SYS_UNSHARE, body: noneOf(unix.CLONE_NEWCGROUP)},
		}
	}
	policy := []rule{{number: unix.SYS_CLONE, body: noneOf(cloneNewAll)}, {number: unix.SYS_UNSHARE, verdict: refused(syscall.EPERM)}}
	for _, number := range nestingCalls() {
		policy = append(policy, rule{number: number, verdict: refused(syscall.EPERM)})
	}
	return policy
}

// noneOf refuses a call whose first argument has one of the flags.
func noneOf(flags uint32) []instruction {
	return []instruction{argument(0), unless(unix.BPF_JSET, flags), ret(allowed), ret(refused(syscall.EPERM))}
}

// mostRules is room for the whole policy.
const mostRules = 96

// rules is the whole policy, sorted by number.
func rules(cfg *Config) []rule {
	policy := slices.Grow(namespaceRules(cfg), mostRules)
	for _, number := range slices.Concat(refusedCalls(), archRefusedCalls()) {
		policy = append(policy, rule{number: number, verdict: refused(syscall.EPERM)})
	}
	// Their arguments are in memory, out of sight; C libraries fall back.
	for _, number := range []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER} {
		policy = append(policy, rule{number: number, verdict: refused(syscall.ENOSYS)})
	}
	policy = append(policy,
		rule{number: unix.SYS_IOCTL, body: oneOf(1, refused(syscall.EPERM), allowed, unix.TIOCSTI, unix.TIOCLINUX)},
		rule{number: unix.SYS_SOCKET, body: oneOf(0, allowed, refused(syscall.EAFNOSUPPORT),
			unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)},
		rule{number: unix.SYS_SETSOCKOPT, body: socketOption(cfg)},
		rule{number: unix.SYS_SOCKETPAIR, body: oneOf(0, allowed, refused(syscall.EAFNOSUPPORT), unix.AF_UNIX)},
	)
	// Process 1 ends the sandbox. It runs as the same user, who may change it.
	for _, number := range []uint32{
		unix.SYS_PRLIMIT64, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETATTR, unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETAFFINITY,
	} {
		policy = append(policy, rule{number: number, body: oneOf(0, refused(syscall.EPERM), allowed, 1)})
	}
	policy = append(policy,
		rule{number: unix.SYS_SETPRIORITY, body: notOfUser(unix.PRIO_USER)},
		rule{number: unix.SYS_IOPRIO_SET, body: notOfUser(ioprioWhoUser)},
	)
	slices.SortFunc(policy, func(a, b rule) int { return int(a.number) - int(b.number) })
	return policy
}

// socketOption refuses labels of flows, which the kernel keeps in the network namespace
// for seconds after the last socket is closed.
func socketOption(cfg *Config) []instruction {
	if cfg.Network != NetworkNone {
		return []instruction{ret(allowed)}
	}
	code := []instruction{argument(1), {op: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, yes: 1, constant: unix.SOL_IPV6}, ret(allowed)}
	return append(code, oneOf(2, refused(syscall.EPERM), allowed, flowLabels)...)
}

// notOfUser refuses a call for process 1, and for all of a user, which it is one of.
func notOfUser(user uint32) []instruction {
	code := []instruction{argument(0), {op: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, no: 1, constant: user}, ret(refused(syscall.EPERM))}
	return append(code, oneOf(1, refused(syscall.EPERM), allowed, 1)...)
}

// oneOf answers yes when the argument is one of values, else no.
func oneOf(index uint32, yes, no verdict, values ...uint32) []instruction {
	code := append(make([]instruction, 0, len(values)+3), argument(index))
	for i, value := range values {
		jump := unless(unix.BPF_JEQ, value)
		jump.yes = uint8(len(values) - i)
		code = append(code, jump)
	}
	return append(code, ret(no), ret(yes))
}

// span is a range of numbers with one decision, up to where the next one begins.
type span struct {
	from    uint32
	verdict verdict
	body    []instruction
}

// spans turns the policy into ranges, of which neighbours differ.
func spans(policy []rule) []span {
	list := make([]span, 0, 2*len(policy)+2)
	add := func(from uint32, v verdict, body []instruction) {
		if last := len(list) - 1; last < 0 || body != nil || list[last].body != nil || list[last].verdict != v {
			list = append(list, span{from, v, body})
		}
	}
	end := uint32(0)
	for _, r := range policy {
		if r.number > end || len(list) == 0 {
			add(end, allowed, nil)
		}
		add(r.number, r.verdict, r.body)
		end = r.number + 1
	}
	add(end, allowed, nil)
	add(foreignNumbers, refused(syscall.EPERM), nil)
	return list
}

// assembler lays out a program from its end, so that where a jump goes is known. The
// kernel compiles the filter for each sandbox, which takes the longer the longer it is: so
// what is there once serves all who need it.
type assembler struct {
	code   []instruction // the last one first
	blocks []block
}

// block is code that ends in returns, and where it begins.
type block struct {
	body  []instruction
	entry int
}

// put adds an instruction before all others, and returns where it is.
func (a *assembler) put(i instruction) int {
	a.code = append(a.code, i)
	return len(a.code) - 1
}

// jump adds a comparison of the accumulator. It cannot skip more than 255 instructions,
// which is more than a filter has.
func (a *assembler) jump(comparison uint16, value uint32, yes, no int) int {
	here := len(a.code)
	return a.put(instruction{op: unix.BPF_JMP | unix.BPF_K | comparison, yes: uint8(here - yes - 1), no: uint8(here - no - 1), constant: value})
}

// block gives the entry of a block, which may be there already.
func (a *assembler) block(body []instruction) int {
	for _, known := range a.blocks {
		if slices.Equal(known.body, body) {
			return known.entry
		}
	}
	for _, i := range slices.Backward(body) {
		a.put(i)
	}
	entry := len(a.code) - 1
	a.blocks = append(a.blocks, block{body, entry})
	return entry
}

// search gives the entry of a binary search for the span of the number in the
// accumulator, so that a call costs a handful of instructions.
func (a *assembler) search(list []span) int {
	if len(list) > 1 {
		middle := len(list) / 2
		after := a.search(list[middle:])
		return a.jump(unix.BPF_JGE, list[middle].from, after, a.search(list[:middle]))
	}
	if list[0].body != nil {
		return a.block(list[0].body)
	}
	return a.block([]instruction{ret(list[0].verdict)})
}

// assemble makes the program: the calling convention first, then the number.
func assemble(policy []rule) []instruction {
	a := &assembler{code: make([]instruction, 0, mostInstructions)}
	foreign := a.block([]instruction{ret(refused(syscall.EPERM))})
	a.search(spans(policy)) // ends with the first comparison
	native := a.put(load(dataNumber))
	a.jump(unix.BPF_JEQ, nativeArch, native, foreign)
	a.put(load(dataArch))
	slices.Reverse(a.code)
	return a.code
}

// mostInstructions is as many as a jump can skip, and the jump.
const mostInstructions = 256

// systemCallFilter gives the filter as the kernel takes it.
func systemCallFilter(cfg *Config) []byte {
	program := assemble(rules(cfg))
	code := make([]byte, 0, len(program)*instructionSize)
	for _, i := range program {
		code = binary.NativeEndian.AppendUint16(code, i.op)
		code = append(code, i.yes, i.no)
		code = binary.NativeEndian.AppendUint32(code, i.constant)
	}
	return code
}
