//go:build amd64 || arm64

package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// soon is how long a run with something hostile in it may take on a busy machine.
const soon = 20 * time.Second

// escapes are further things that no process may do: [calls] are refused by
// number, these for what they want.
func escapes() map[string]func() error {
	return map[string]func() error{
		"read process 1":          func() error { return vector(unix.SYS_PROCESS_VM_READV) },
		"write process 1":         func() error { return vector(unix.SYS_PROCESS_VM_WRITEV) },
		"take its files":          takeFile,
		"watch file systems":      func() error { _, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF, 0); return err },
		"open by handle":          openByHandle,
		"join its namespaces":     func() error { _, err := os.Open("/proc/1/ns/net"); return err },
		"its root":                func() error { _, err := os.ReadDir("/proc/1/root/"); return err },
		"its directory":           func() error { _, err := os.ReadDir("/proc/1/cwd/"); return err },
		"root by way of itself":   func() error { _, err := os.ReadDir("/proc/self/root/root"); return err },
		"root by its directory":   func() error { _, err := os.ReadDir("/proc/self/cwd/../../root"); return err },
		"root by a descriptor":    aboveDescriptor,
		"hard link":               func() error { return os.Link("/usr/bin/env", "/tmp/env") },
		"move away":               func() error { return os.Rename("/usr/bin/env", "/tmp/env") },
		"unlink":                  func() error { return os.Remove("/usr/bin/env") },
		"chmod":                   func() error { return os.Chmod("/usr/bin", 0o777) },
		"times":                   func() error { return os.Chtimes("/usr/bin", time.Now(), time.Now()) },
		"attribute":               func() error { return unix.Setxattr("/usr/bin", "user.x", []byte("x"), 0) },
		"open again for writing":  openAgain,
		"write to a mapping":      mapShared,
		"set-user-id of a device": func() error { return unix.Mknod("/tmp/b", unix.S_IFBLK|0o666, 254<<8) },
		"memory of the machine":   func() error { _, err := os.Open("/dev/mem"); return err },
		"log of the kernel":       func() error { _, err := os.Open("/proc/kmsg"); return err },
		"memory of the kernel":    func() error { _, err := os.Open("/proc/kcore"); return err },
		"core pattern":            func() error { return os.WriteFile("/proc/sys/kernel/core_pattern", []byte("|/tmp/x"), 0) },
		"control groups":          func() error { _, err := os.ReadDir("/sys/fs/cgroup"); return err },
		"write sys":               func() error { return os.WriteFile("/sys/x", nil, 0o644) },
		"clock":                   func() error { return unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Sec: 1}) },
		"unshare files":           func() error { return unix.Unshare(unix.CLONE_NEWNS) },
		"unshare network":         func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		"unshare cgroups":         func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) },
		"input, more bits":        func() error { return terminalCall(unix.TIOCSTI | 1<<32) },
		"console, more bits":      func() error { return terminalCall(unix.TIOCLINUX | 1<<32) },
		"audit":                   askAudit,
		"pair of a rare kind":     func() error { _, err := unix.Socketpair(unix.AF_TIPC, unix.SOCK_SEQPACKET, 0); return err },
		"world by tcp":            func() error { return attemptConnect([]string{"tcp", "192.0.2.1:9"}) },
		"world by udp":            func() error { return attemptConnect([]string{"udp", "192.0.2.1:9"}) },
		"world by udp 6":          func() error { return attemptConnect([]string{"udp", "[2001:db8::1]:9"}) },
		"new address":             newAddress,
	}
}

// vector reads or writes a byte of process 1.
func vector(number uintptr) error {
	var letter [1]byte
	own := unix.Iovec{Base: &letter[0], Len: 1}
	if _, _, errno := syscall.RawSyscall6(number, 1, uintptr(unsafe.Pointer(&own)), 1, uintptr(unsafe.Pointer(&own)), 1, 0); errno != 0 {
		return errno
	}
	return nil
}

func takeFile() error {
	process, err := unix.PidfdOpen(1, 0)
	if err != nil {
		return err
	}
	_, err = unix.PidfdGetfd(process, 0, 0)
	return err
}

func openByHandle() error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/usr", 0)
	if err != nil {
		return err
	}
	mount, err := unix.Open("/usr", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	_, err = unix.OpenByHandleAt(mount, handle, unix.O_RDONLY)
	return err
}

// aboveDescriptor climbs from an open directory over its mount and the root.
func aboveDescriptor() error {
	fd, err := unix.Open("/usr/bin", unix.O_PATH, 0)
	if err != nil {
		return err
	}
	_, err = unix.Openat(fd, "../../../../../root", unix.O_RDONLY, 0)
	return err
}

// openAgain opens a file of the host by the link that /proc has for one that is
// open for reading.
func openAgain() error {
	file, err := os.Open("/usr/bin/env")
	if err != nil {
		return err
	}
	defer file.Close()
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.O_WRONLY, 0)
	if err == nil {
		again.Close()
	}
	return err
}

func mapShared() error {
	file, err := os.Open("/usr/bin/env")
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

// terminalCall makes an ioctl, on no terminal: what is refused says so before the
// kernel looks at the file.
func terminalCall(request uintptr) error {
	null, err := os.Open("/dev/null")
	if err != nil {
		return err
	}
	defer null.Close()
	if _, _, errno := syscall.Syscall(unix.SYS_IOCTL, null.Fd(), request, 0); errno != unix.EPERM {
		return nil // which fails the test
	}
	return unix.EPERM
}

// askAudit asks the kernel for the state of auditing, which it tells in the
// network namespace of the machine only.
func askAudit() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	if err != nil {
		return err
	}
	message := make([]byte, unix.SizeofNlMsghdr)
	message[0], message[4], message[5] = unix.SizeofNlMsghdr, unix.AUDIT_GET&0xff, unix.AUDIT_GET>>8
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err == nil && n > unix.SizeofNlMsghdr+4 && answer[4] == unix.NLMSG_ERROR {
		return syscall.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])))
	}
	return err
}

// newAddress asks for another network interface.
func newAddress() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(0)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

func TestWaysOutThatAreClosed(t *testing.T) {
	requireSandbox(t)
	for name := range escapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := start(t, context.Background(), asHelper(t, "attempt", name))
			if r.err != nil || r.ExitCode != 0 || strings.Contains(r.out, "<nil>") || !strings.HasPrefix(r.out, name+": ") {
				t.Errorf("got %q, %+v, %v", r.out, r.Status, r.err)
			}
			if took := time.Since(began); took > soon {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// attemptReach tries all that one process can do to another one.
func attemptReach(args []string) error {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if _, err := os.Stat("/proc/" + args[0]); err == nil {
		fmt.Println("it is there to see")
	}
	for name, err := range map[string]error{
		"signal": unix.Kill(pid, unix.SIGTERM), "group": unix.Kill(-pid, unix.SIGTERM), "trace": unix.PtraceAttach(pid),
		"limits": unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{}, nil),
	} {
		if err != unix.ESRCH {
			fmt.Println(name, err)
		}
	}
	return nil
}

func TestProcessesOfTheHostAreOutOfReach(t *testing.T) {
	requireSandbox(t)
	pid := os.Getpid()
	if pid < 50 {
		t.Skip("a process of the sandbox could have the same number")
	}
	start(t, context.Background(), asHelper(t, "reach", strconv.Itoa(pid))).want(t, 0, "")
}

// TestDatagramsDoNotLeave: nobody answers one, so the host looks whether any came.
func TestDatagramsDoNotLeave(t *testing.T) {
	requireSandbox(t)
	host, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	send := func(network Network) {
		start(t, context.Background(), asHelper(t, "send", host.LocalAddr().String()), func(cfg *Config) { cfg.Network = network }).want(t, 0, "")
	}
	send(NetworkNone)
	if err := attemptSend([]string{host.LocalAddr().String(), "from the host"}); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 100)
	if n, _, err := host.ReadFrom(text); err != nil || string(text[:n]) != "from the host" {
		t.Errorf("the first that came was %q, %v", text[:n], err)
	}
	send(NetworkHost)
	if n, _, err := host.ReadFrom(text); err != nil || string(text[:n]) != "hello" {
		t.Errorf("with the network of the host came %q, %v", text[:n], err)
	}
}

// attemptSend sends a datagram. What comes back for one is of no matter.
func attemptSend(args []string) error {
	conn, err := net.Dial("udp", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = fmt.Fprint(conn, append(args[1:], "hello")[0])
	return err
}

// TestMemoryOfOtherKindsIsPrivate: System V memory is known by a number, which is
// another's in the sandbox.
func TestMemoryOfOtherKindsIsPrivate(t *testing.T) {
	requireSandbox(t)
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666)
	if err != nil {
		t.Skip("no System V memory here:", err)
	}
	defer unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	start(t, context.Background(), asHelper(t, "share", strconv.Itoa(id))).want(t, 0, "invalid argument")
}

func attemptShare(args []string) error {
	id, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	_, err = unix.SysvShmAttach(id, 0, 0)
	fmt.Println(err)
	return nil
}

// nested are things that a process tries in namespaces of its own.
func nested() map[string]string {
	return map[string]string{
		"bind and write":   "mount --bind /usr /tmp && touch /tmp/made",
		"take away a lock": "mount -o remount,rw,bind /usr && touch /usr/made",
		"take a mount off": "umount -l /usr && test -e /usr/made",
		"look below proc":  "umount -l /proc",
		"device":           "mknod /tmp/null c 1 3",
		"set-user-id":      "mount -o remount,suid,bind /tmp",
		"host's processes": "mount -t proc proc /proc && ls /proc/1/root/root",
		"process 1":        "cat /proc/1/environ /proc/1/mem",
		"its namespaces":   "nsenter -t 1 -m true",
		"shadow":           "cat /etc/shadow",
		"cgroups":          "mount -t cgroup2 none /tmp",
		"disk":             "mount -t ext4 /dev/vda /tmp",
		"trace process 1":  "cat /proc/1/syscall",
		"all niceness":     "renice 7 -u 0",
		"all disk access":  "ionice -c 3 -u 0",
	}
}

func TestNestingOpensNoWayOut(t *testing.T) {
	requireSandbox(t)
	nests := func(cfg *Config) { cfg.AllowUserns = true }
	if r := shell(t, "unshare -Urm true", nests); r.ExitCode != 0 {
		t.Skip("unshare does not work:", r.out)
	}
	for name, script := range nested() {
		t.Run(name, func(t *testing.T) {
			r := shell(t, "unshare -Urm sh -c '"+script+"; test $? = 0 && echo did it'", nests)
			if r.err != nil || strings.Contains(r.out, "did it") {
				t.Errorf("%v: %s", r.err, r.out)
			}
		})
	}
	// An overlay over what is read-only puts changes on top, and nowhere else.
	shell(t, `mkdir /tmp/u /tmp/w /tmp/m; unshare -Urm sh -c 'mount -t overlay -o lowerdir=/usr,upperdir=/tmp/u,workdir=/tmp/w,userxattr o /tmp/m && echo x >/tmp/m/made'; ls /tmp/u; ls /usr/made`, nests, func(cfg *Config) {
		cfg.Stderr = nil
		cfg.Private = t.TempDir()
	}).want(t, 2, "made")
	if _, err := os.Lstat("/usr/made"); err == nil {
		t.Error("/usr/made is on the host")
	}
}
