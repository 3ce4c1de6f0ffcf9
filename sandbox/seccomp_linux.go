//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The filter allows what is not refused: the namespaces are the wall, and the
// filter keeps the parts of the kernel out of reach that serve only to climb
// it, or that no build tool has a use for. Refused calls give EPERM, except
// those for which a C library has another way when it sees ENOSYS.

// Offsets in struct seccomp_data.
const (
	dataNumber  = 0
	dataArch    = 4
	dataArgs    = 16
	argSize     = 8
	cloneNewAll = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME
)

// verdict is what happens to a system call.
type verdict uint32

const allowed verdict = unix.SECCOMP_RET_ALLOW

func refused(errno syscall.Errno) verdict { return verdict(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

// rule decides on one system call: always the same, or, with body, by the
// instructions there, which end in returns.
type rule struct {
	verdict verdict
	body    []bpf.Instruction
}

// refusedCalls are the calls that are refused whatever their arguments.
func refusedCalls() []uint32 {
	return []uint32{
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT,
		unix.SYS_FSPICK, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_UNSHARE, unix.SYS_SETNS,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_VHANGUP, unix.SYS_NFSSERVCTL,
		unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
		unix.SYS_FANOTIFY_INIT, unix.SYS_PIDFD_GETFD,
	}
}

// rules is the whole policy, by number of system call.
func rules() map[uint32]rule {
	policy := map[uint32]rule{}
	for _, number := range slices.Concat(refusedCalls(), archRefusedCalls()) {
		policy[number] = rule{verdict: refused(syscall.EPERM)}
	}
	// Their arguments are in memory, out of sight; C libraries fall back.
	for _, number := range []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER} {
		policy[number] = rule{verdict: refused(syscall.ENOSYS)}
	}
	policy[unix.SYS_CLONE] = rule{body: []bpf.Instruction{
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: cloneNewAll, SkipFalse: 1},
		ret(refused(syscall.EPERM)), ret(allowed),
	}}
	policy[unix.SYS_IOCTL] = rule{body: oneOf(1, refused(syscall.EPERM), allowed, unix.TIOCSTI, unix.TIOCLINUX)}
	policy[unix.SYS_SOCKET] = rule{body: oneOf(0, allowed, refused(syscall.EAFNOSUPPORT),
		unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)}
	return policy
}

// argument loads the low half of an argument; what is compared here is 32 bits
// wide in the kernel too.
func argument(index uint32) bpf.Instruction {
	return bpf.LoadAbsolute{Off: dataArgs + index*argSize, Size: 4}
}

func ret(v verdict) bpf.Instruction { return bpf.RetConstant{Val: uint32(v)} }

// oneOf answers yes when the argument is one of values, else no.
func oneOf(index uint32, yes, no verdict, values ...uint32) []bpf.Instruction {
	code := []bpf.Instruction{argument(index)}
	for i, value := range values {
		code = append(code, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: uint8(len(values) - i)})
	}
	return append(code, ret(no), ret(yes))
}

// assemble makes the program: the calling convention first, then a binary
// search for the number, so that a call costs a handful of instructions.
func assemble(policy map[uint32]rule) []bpf.Instruction {
	code := []bpf.Instruction{
		bpf.LoadAbsolute{Off: dataArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeArch, SkipTrue: 1},
		ret(refused(syscall.EPERM)),
		bpf.LoadAbsolute{Off: dataNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: foreignNumbers, SkipFalse: 1},
		ret(refused(syscall.EPERM)),
	}
	return append(code, search(policy, slices.Sorted(maps.Keys(policy)))...)
}

// search finds the rule for the number in the accumulator.
func search(policy map[uint32]rule, numbers []uint32) []bpf.Instruction {
	if len(numbers) == 1 {
		body := policy[numbers[0]].body
		if body == nil {
			body = []bpf.Instruction{ret(policy[numbers[0]].verdict)}
		}
		return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: numbers[0], SkipTrue: 1}, ret(allowed)}, body...)
	}
	middle := len(numbers) / 2
	low, high := search(policy, numbers[:middle]), search(policy, numbers[middle:])
	return slices.Concat([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: numbers[middle], SkipFalse: 1},
		bpf.Jump{Skip: uint32(len(low))},
	}, low, high)
}

// systemCallFilter gives the filter as the kernel takes it.
func systemCallFilter() ([]byte, error) {
	raw, err := bpf.Assemble(assemble(rules()))
	if err != nil {
		return nil, fmt.Errorf("assemble the system call filter: %w", err)
	}
	var code []byte
	for _, instruction := range raw {
		code = binary.NativeEndian.AppendUint16(code, instruction.Op)
		code = append(code, instruction.Jt, instruction.Jf)
		code = binary.NativeEndian.AppendUint32(code, instruction.K)
	}
	return code, nil
}
