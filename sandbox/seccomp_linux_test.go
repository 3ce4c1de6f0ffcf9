//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// decide runs the filter on a system call. The machine of the bpf package
// reads words in network order, so that is how they are written here.
func decide(t testing.TB, arch, number uint32, args ...uint32) verdict {
	t.Helper()
	return decideFor(t, &Config{}, arch, number, args...)
}

func decideFor(t testing.TB, cfg *Config, arch, number uint32, args ...uint32) verdict {
	t.Helper()
	var program []bpf.Instruction
	for _, i := range assemble(rules(cfg)) {
		program = append(program, bpf.RawInstruction{Op: i.op, Jt: i.yes, Jf: i.no, K: i.constant}.Disassemble())
	}
	machine, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[dataNumber:], number)
	binary.BigEndian.PutUint32(data[dataArch:], arch)
	for i, arg := range args {
		binary.BigEndian.PutUint32(data[dataArgs+i*argSize:], arg)
	}
	got, err := machine.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return verdict(got)
}

func TestFilter(t *testing.T) {
	denied := refused(syscall.EPERM)
	for name, c := range map[string]struct{ got, want verdict }{
		"read":                 {decide(t, nativeArch, unix.SYS_READ), allowed},
		"execve":               {decide(t, nativeArch, unix.SYS_EXECVE), allowed},
		"mount":                {decide(t, nativeArch, unix.SYS_MOUNT), denied},
		"clone3":               {decide(t, nativeArch, unix.SYS_CLONE3), refused(syscall.ENOSYS)},
		"clone of a thread":    {decide(t, nativeArch, unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_THREAD), allowed},
		"clone of a namespace": {decide(t, nativeArch, unix.SYS_CLONE, unix.CLONE_NEWUSER|17), denied},
		"window size":          {decide(t, nativeArch, unix.SYS_IOCTL, 0, unix.TIOCGWINSZ), allowed},
		"terminal input":       {decide(t, nativeArch, unix.SYS_IOCTL, 0, unix.TIOCSTI), denied},
		"console":              {decide(t, nativeArch, unix.SYS_IOCTL, 0, unix.TIOCLINUX), denied},
		"unix socket":          {decide(t, nativeArch, unix.SYS_SOCKET, unix.AF_UNIX), allowed},
		"inet6 socket":         {decide(t, nativeArch, unix.SYS_SOCKET, unix.AF_INET6), allowed},
		"vsock socket":         {decide(t, nativeArch, unix.SYS_SOCKET, unix.AF_VSOCK), refused(syscall.EAFNOSUPPORT)},
		"unix pair":            {decide(t, nativeArch, unix.SYS_SOCKETPAIR, unix.AF_UNIX), allowed},
		"tipc pair":            {decide(t, nativeArch, unix.SYS_SOCKETPAIR, unix.AF_TIPC), refused(syscall.EAFNOSUPPORT)},
		"limits of its own":    {decide(t, nativeArch, unix.SYS_PRLIMIT64, 0), allowed},
		"limits of process 1":  {decide(t, nativeArch, unix.SYS_PRLIMIT64, 1), denied},
		"niceness of another":  {decide(t, nativeArch, unix.SYS_SETPRIORITY, 0, 1), denied},
		"niceness of all":      {decide(t, nativeArch, unix.SYS_SETPRIORITY, unix.PRIO_USER, 0), denied},
		"its own niceness":     {decide(t, nativeArch, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0), allowed},
		"disk access of all":   {decide(t, nativeArch, unix.SYS_IOPRIO_SET, ioprioWhoUser, 0), denied},
		"label of flows":       {decide(t, nativeArch, unix.SYS_SETSOCKOPT, 3, unix.SOL_IPV6, flowLabels), denied},
		"label for the host":   {decideFor(t, &Config{Network: NetworkHost}, nativeArch, unix.SYS_SETSOCKOPT, 3, unix.SOL_IPV6, flowLabels), allowed},
		"another option":       {decide(t, nativeArch, unix.SYS_SETSOCKOPT, 3, unix.SOL_IPV6, unix.IPV6_V6ONLY), allowed},
		"one of another level": {decide(t, nativeArch, unix.SYS_SETSOCKOPT, 3, unix.SOL_IP, flowLabels), allowed},
		"other architecture":   {decide(t, unix.AUDIT_ARCH_I386, 3), denied},
		"x32":                  {decide(t, nativeArch, 0x40000000|unix.SYS_READ), denied},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", name, c.got, c.want)
		}
	}
}

// The search tree is held against a plain look-up.
func TestFilterDecidesByThePolicy(t *testing.T) {
	policy := map[uint32]rule{}
	for _, rule := range rules(&Config{}) {
		policy[rule.number] = rule
	}
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.Uint32Range(0, 600).Draw(rt, "number")
		rule, listed := policy[number]
		want := allowed
		if listed && rule.body == nil {
			want = rule.verdict
		}
		if got := decide(t, nativeArch, number); rule.body == nil && got != want {
			rt.Fatalf("call %d: got %#x, want %#x", number, got, want)
		}
	})
}

// What jumps cannot reach they would miss.
func TestFilterIsWithinReachOfItsJumps(t *testing.T) {
	for _, cfg := range []Config{{}, {AllowUserns: true}, {Network: NetworkHost}, {AllowUserns: true, Network: NetworkHost}} {
		if length := len(assemble(rules(&cfg))); length > mostInstructions {
			t.Errorf("%+v: %d instructions", cfg, length)
		}
	}
}

func TestEveryRefusedCallIsRefused(t *testing.T) {
	for _, rule := range rules(&Config{}) {
		if got := decide(t, nativeArch, rule.number); rule.body == nil && got != rule.verdict {
			t.Errorf("call %d: got %#x, want %#x", rule.number, got, rule.verdict)
		}
	}
}

// With user namespaces all that belongs to them passes, and nothing else.
func TestFilterWithUserNamespaces(t *testing.T) {
	nested := &Config{AllowUserns: true}
	for _, number := range nestingCalls() {
		if got := decideFor(t, nested, nativeArch, number); got != allowed {
			t.Errorf("call %d: got %#x", number, got)
		}
	}
	for _, number := range refusedCalls() {
		if got := decideFor(t, nested, nativeArch, number); got != refused(syscall.EPERM) {
			t.Errorf("call %d is allowed", number)
		}
	}
	for _, number := range []uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
		if got := decideFor(t, nested, nativeArch, number, unix.CLONE_NEWUSER|unix.CLONE_NEWNS); got != allowed {
			t.Errorf("call %d with a user namespace: got %#x", number, got)
		}
		if got := decideFor(t, nested, nativeArch, number, unix.CLONE_NEWUSER|unix.CLONE_NEWCGROUP); got == allowed {
			t.Errorf("call %d with a cgroup namespace is allowed", number)
		}
		if got := decide(t, nativeArch, number, unix.CLONE_NEWUSER); got == allowed {
			t.Errorf("call %d with a user namespace is allowed to those who did not ask", number)
		}
	}
}
