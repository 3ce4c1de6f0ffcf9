//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are what no process may do, with harmless arguments.
func calls() map[string]func() error {
	raw := func(number uintptr, args ...uintptr) func() error {
		return func() error {
			args = append(args, 0, 0, 0, 0, 0)
			if _, _, errno := syscall.RawSyscall6(number, args[0], args[1], args[2], args[3], args[4], 0); errno != 0 {
				return errno
			}
			return nil
		}
	}
	socket := func(domain, kind int) func() error {
		return func() error { _, err := unix.Socket(domain, kind, 0); return err }
	}
	return map[string]func() error{
		"mount":          func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
		"umount":         func() error { return unix.Unmount("/proc", 0) },
		"fsopen":         func() error { _, err := unix.Fsopen("tmpfs", 0); return err },
		"open_tree":      func() error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err },
		"pivot_root":     func() error { return unix.PivotRoot("/", "/") },
		"chroot":         func() error { return unix.Chroot("/tmp") },
		"unshare user":   func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"clone user":     raw(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)),
		"clone3":         raw(unix.SYS_CLONE3),
		"setns":          func() error { return unix.Setns(0, 0) },
		"bpf":            raw(unix.SYS_BPF),
		"perf":           raw(unix.SYS_PERF_EVENT_OPEN),
		"userfaultfd":    raw(unix.SYS_USERFAULTFD),
		"keyctl":         raw(unix.SYS_KEYCTL),
		"add_key":        raw(unix.SYS_ADD_KEY),
		"io_uring":       raw(unix.SYS_IO_URING_SETUP),
		"handle":         raw(unix.SYS_OPEN_BY_HANDLE_AT),
		"packet socket":  socket(unix.AF_PACKET, unix.SOCK_RAW),
		"vsock socket":   socket(unix.AF_VSOCK, unix.SOCK_STREAM),
		"raw socket":     socket(unix.AF_INET, unix.SOCK_RAW),
		"device":         func() error { return unix.Mknod("/tmp/d", unix.S_IFCHR|0o666, 1<<8|3) },
		"device mode":    func() error { return os.Chmod("/dev/null", 0o666) },
		"device times":   func() error { return os.Chtimes("/dev/zero", time.Now(), time.Now()) },
		"chown":          func() error { return os.Chown("/tmp", 0, 0) },
		"setuid":         func() error { return syscall.Setuid(0) },
		"setgroups":      func() error { return syscall.Setgroups([]int{0}) },
		"read memory":    func() error { _, err := os.ReadFile("/proc/1/mem"); return err },
		"read environ":   func() error { _, err := os.ReadFile("/proc/1/environ"); return err },
		"see its files":  func() error { _, err := os.Readlink("/proc/1/fd/4"); return err },
		"limits":         func() error { return unix.Prlimit(1, unix.RLIMIT_CPU, &unix.Rlimit{}, nil) },
		"niceness":       func() error { return unix.Setpriority(unix.PRIO_PROCESS, 1, 19) },
		"ptrace":         func() error { runtime.LockOSThread(); return unix.PtraceAttach(1) },
		"sysctl":         func() error { return os.WriteFile("/proc/sys/vm/swappiness", []byte("60"), 0) },
		"sysrq":          func() error { return os.WriteFile("/proc/sysrq-trigger", []byte("h"), 0) },
		"score":          func() error { return os.WriteFile("/proc/1/oom_score_adj", []byte("0"), 0) },
		"write root":     func() error { return os.WriteFile("/x", nil, 0o644) },
		"write usr":      func() error { return os.WriteFile("/usr/x", nil, 0o644) },
		"write etc":      func() error { return os.WriteFile("/etc/passwd", nil, 0o644) },
		"write dev":      func() error { return os.WriteFile("/dev/x", nil, 0o644) },
		"make writable":  func() error { return unix.Mount("", "/usr", "", unix.MS_REMOUNT|unix.MS_BIND, "") },
		"shadow":         func() error { _, err := os.ReadFile("/etc/shadow"); return err },
		"private keys":   func() error { _, err := os.ReadDir("/etc/ssl/private"); return err },
		"host's run":     func() error { _, err := os.ReadDir("/run/lock"); return err },
		"host's root":    func() error { _, err := os.ReadDir("/root"); return err },
		"above the root": func() error { _, err := os.ReadDir("/../../../root"); return err },
		"block devices":  func() error { _, err := os.Open("/dev/vda"); return err },
		"push input":     pushInput,
	}
}

// pushInput tries to type into its own terminal, as if the user did.
func pushInput() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil // which fails the test: a sandbox has terminals
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	letter := byte('x')
	if _, _, errno := syscall.Syscall(unix.SYS_IOCTL, terminal.Fd(), unix.TIOCSTI, uintptr(unsafe.Pointer(&letter))); errno != 0 {
		return errno
	}
	return nil
}

// attemptCall makes one of calls or escapes and prints how that went.
func attemptCall(args []string) error {
	all := calls()
	maps.Copy(all, escapes())
	for _, name := range args {
		err := all[name]()
		fmt.Printf("%s: %v\n", name, err)
	}
	return nil
}

func TestCallsThatAreRefused(t *testing.T) {
	requireSandbox(t)
	for name := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, context.Background(), asHelper(t, "attempt", name))
			if r.err != nil || r.ExitCode != 0 || strings.Contains(r.out, "<nil>") || !strings.HasPrefix(r.out, name+": ") {
				t.Errorf("got %q, %+v, %v", r.out, r.Status, r.err)
			}
		})
	}
	t.Run("typing into a terminal", func(t *testing.T) {
		start(t, context.Background(), asHelper(t, "attempt", "push input")).want(t, 0, "push input: operation not permitted")
	})
}

func attemptConnect(args []string) error {
	conn, err := net.DialTimeout(args[0], args[1], time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestHostSocketsAreOutOfReach(t *testing.T) {
	requireSandbox(t)
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": "@sandbox-test-" + strconv.Itoa(os.Getpid())} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		to := listener.Addr().String()
		if r := start(t, context.Background(), asHelper(t, "connect", network, to)); r.ExitCode != 1 || !strings.Contains(r.out, "refused") {
			t.Errorf("%s: got %+v, %q", to, r.Status, r.out)
		}
		start(t, context.Background(), asHelper(t, "connect", network, to), func(cfg *Config) { cfg.Network = NetworkHost }).want(t, 0, "")
	}
}

func TestHostNetworkBringsItsNames(t *testing.T) {
	requireSandbox(t)
	want, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Skip("this host has no /etc/resolv.conf")
	}
	shell(t, "cat /etc/resolv.conf", func(cfg *Config) { cfg.Network = NetworkHost }).want(t, 0, strings.TrimSpace(string(want)))
	if r := shell(t, "cat /etc/resolv.conf"); r.ExitCode == 0 {
		t.Errorf("without a network: %q", r.out)
	}
}

func TestSetUserIDProgramsArePowerless(t *testing.T) {
	requireSandbox(t)
	shell(t, "s=$(command -v su mount passwd | head -1); ls -l $s >/dev/null && grep NoNewPrivs /proc/self/status").want(t, 0, "NoNewPrivs:\t1")
	r := shell(t, "cp /usr/bin/id /tmp/id && chmod u+s /tmp/id && /tmp/id -u")
	r.want(t, 0, "1000")
}

// Process 1 has the memory of the caller.
func TestProcessOneIsOutOfSight(t *testing.T) {
	requireSandbox(t)
	for name, adjust := range map[string]func(*Config){
		"ordinary": func(*Config) {}, "nesting": func(cfg *Config) { cfg.AllowUserns = true },
		"memory": func(cfg *Config) { cfg.Limits.Memory = 1 << 30 },
	} {
		t.Run(name, func(t *testing.T) {
			shell(t, "cd /proc; echo [0-9]*; cat 1/cmdline 1/environ 1/mem 1/stat; ls 1/fd 1/root; kill -0 1 && echo there", adjust, func(cfg *Config) { cfg.Stderr = nil }).want(t, 0, "2\nthere")
			start(t, context.Background(), asHelper(t, "attempt", "ptrace"), adjust).want(t, 0, "ptrace: operation not permitted")
		})
	}
}

func TestNoProcessOutlivesItsRun(t *testing.T) {
	requireSandbox(t)
	for name, script := range map[string]string{
		"background":           "sleep 7777.MARK &",
		"another session":      "setsid sleep 7777.MARK &",
		"forked twice":         "( ( setsid nohup sleep 7777.MARK & ) & )",
		"stopped":              "sleep 7777.MARK & kill -STOP $!",
		"deaf":                 "sh -c 'trap \"\" TERM HUP INT; : 7777.MARK; while :; do sleep 1; done' &",
		"many":                 "i=0; while [ $i -lt 100 ]; do sleep 7777.MARK & i=$((i+1)); done",
		"kill all":             "sleep 7777.MARK & kill -9 -1",
		"kill init":            "sleep 7777.MARK & kill -9 1; kill -STOP 1; kill -INT 1",
		"forking all the time": "f() { while :; do sleep 7777.MARK & sleep 0; done; }; f & sleep 0.1",
	} {
		t.Run(name, func(t *testing.T) {
			mark := fmt.Sprintf("%d%d", os.Getpid(), time.Now().UnixNano())
			began := time.Now()
			r := shell(t, strings.ReplaceAll(script, "MARK", mark))
			if left := marked(t, mark); len(left) > 0 || r.err != nil {
				t.Errorf("left %v, %v", left, r.err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAnOrphanThatHoldsTheOutputDoesNotHoldTheReader(t *testing.T) {
	requireSandbox(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	r := shell(t, "setsid sleep 1000 & echo started", func(cfg *Config) { cfg.Stdout = writer })
	writer.Close()
	text := make([]byte, 100)
	n, err := reader.Read(text)
	if r.err != nil || err != nil || string(text[:n]) != "started\n" {
		t.Fatal(r.err, err, string(text[:n]))
	}
	if _, err := reader.Read(text); err == nil {
		t.Error("the pipe has more than was written")
	}
}

func TestLinksInAnOverlayDoNotLeadAMountAstray(t *testing.T) {
	requireOverlay(t)
	trap := t.TempDir()
	for name, link := range map[string]string{"absolute": "/usr", "climbing": "../../../../..", "host": trap, "inside": "other"} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/build/link", "/build/link/below"} {
				o := overlay(t, map[string]string{"other/file": ""})
				if err := os.Symlink(link, filepath.Join(o.Lowers[0], "link")); err != nil {
					t.Fatal(err)
				}
				r := shell(t, "echo ran", func(cfg *Config) {
					cfg.Overlays = []Overlay{o}
					cfg.Binds = []Bind{{Source: t.TempDir(), Target: target, Writable: true}}
				})
				var failure *SetupError
				if !errors.As(r.err, &failure) || failure.Path != target || r.out != "" {
					t.Errorf("%s: got %v, %q", target, r.err, r.out)
				}
			}
			if left, err := os.ReadDir(trap); err != nil || len(left) > 0 {
				t.Errorf("in the host directory: %v, %v", left, err)
			}
		})
	}
}
