//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deeds try to leave something in a network namespace, for a process to do that ends
// right after. What fails was refused.
func deeds() map[string]func() error {
	return map[string]func() error{
		"no way by IPv4":        func() error { return dial("udp", "192.0.2.1:9") },
		"no way by IPv6":        func() error { return dial("udp", "[2001:db8::1]:9") },
		"a way to oneself":      func() error { return dial("udp", "[::1]:9") },
		"a packet":              func() error { return attemptSend([]string{"127.0.0.1:9"}) },
		"multipath, no way":     multipath,
		"label of flows":        labelFlow,
		"group":                 func() error { return join(unix.AF_INET, unix.IP_ADD_MEMBERSHIP) },
		"group by IPv6":         func() error { return join(unix.AF_INET6, unix.IPV6_JOIN_GROUP) },
		"data with the first":   fastOpen,
		"listener":              listen,
		"connection":            connectToItself,
		"sockets in each other": func() error { return cycle(unix.AF_UNIX) },
		"listener on its way":   func() error { return cycle(unix.AF_INET) },
		"daemon":                daemon,
		"every netlink":         everyNetlink,
		"settings":              writeSettings,
		"many watches":          watchMuch,
	}
}

func attemptDeed(args []string) error {
	fmt.Println(args[0], deeds()[args[0]]())
	return nil
}

func dial(network, address string) error {
	conn, err := net.Dial(network, address)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// multipath connects nowhere, which the kernel counts before it looks where.
func multipath() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unix.RawSockaddrInet4{Family: unix.AF_INET})), 4)
	return errno
}

// labelFlow asks for a label of IPv6 that stays for six seconds.
func labelFlow() error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	request := append(net.IPv6loopback, 0, 1, 0x23, 0x45, 0, 255, 1, 0, 6, 0, 6, 0, 0, 0, 0, 0) // create it, for anybody
	return unix.SetsockoptString(fd, unix.SOL_IPV6, flowLabels, string(request))
}

// join joins a multicast group on loopback.
func join(family, option int) error {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if family == unix.AF_INET {
		return unix.SetsockoptIPMreqn(fd, unix.SOL_IP, option, &unix.IPMreqn{Multiaddr: [4]byte{239, 1, 2, 3}, Ifindex: 1})
	}
	return unix.SetsockoptIPv6Mreq(fd, unix.SOL_IPV6, option, &unix.IPv6Mreq{Multiaddr: [16]byte{0xff, 0x0e, 15: 1}, Interface: 1})
}

// fastOpen has a socket that takes data with a connection.
func fastOpen() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_FASTOPEN, 5)
}

func listen() error {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		address := "[::]:4711"
		switch network {
		case "tcp4":
			address = "0.0.0.0:4711"
		case "unix":
			address = "@left"
		}
		if _, err := net.Listen(network, address); err != nil {
			return err
		}
	}
	return nil
}

// connectToItself leaves a connection that waits for its last packets.
func connectToItself() error {
	listener, err := net.Listen("tcp", "127.0.0.1:4712")
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", "127.0.0.1:4712")
	if err != nil {
		return err
	}
	if other, err := listener.Accept(); err == nil {
		_, _ = other.Write(make([]byte, 100)) // which nobody reads
	}
	return conn.Close()
}

// cycle puts a socket that is bound to a name on its way through sockets that are on
// their way through each other.
func cycle(family int) error {
	bound, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	var name unix.Sockaddr = &unix.SockaddrUnix{Name: "@left"}
	if family == unix.AF_INET {
		name = &unix.SockaddrInet4{Port: 4713}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Bind(bound, name)
	}
	if err == nil {
		err = unix.Listen(bound, 1)
	}
	for i := 0; err == nil && i < 2; i++ {
		err = unix.Sendmsg(pair[i], []byte("x"), unix.UnixRights(bound, pair[0], pair[1]), nil, 0)
	}
	return err
}

// daemon leaves a process with a socket.
func daemon() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env, cmd.SysProcAttr = []string{helperMode + "=hold"}, &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	return err
}

func everyNetlink() error {
	for protocol := range 32 {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, protocol)
		if err != nil {
			continue
		}
		for group := range 32 {
			_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group+1) // most are refused
		}
		message := make([]byte, 64)
		message[0], message[4], message[6], message[7] = 64, unix.RTM_GETROUTE, unix.NLM_F_REQUEST, unix.NLM_F_DUMP>>8
		_ = unix.Sendto(fd, message, unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) // as is this
	}
	return nil
}

// settings lists what a process could try to change of its namespaces.
func settings() []string {
	list := []string{"/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/projid_map", "/proc/self/setgroups"}
	for _, folder := range []string{"/proc/sys/net", "/proc/sys/user"} {
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				list = append(list, path)
			}
			return nil
		})
	}
	return list
}

func writeSettings() error {
	for _, path := range settings() {
		if file, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			fmt.Println("could open", path)
			_, _ = file.WriteString("1") // what then is different is seen
		}
	}
	return nil
}

// watchMuch leaves as many watches of files as it may have.
func watchMuch() error {
	for {
		fd, err := unix.InotifyInit1(0)
		if err != nil {
			return err
		}
		if _, err = unix.InotifyAddWatch(fd, "/", unix.IN_CREATE); err != nil {
			return err
		}
	}
}

// tellNetwork prints all that can be seen of the namespaces, but for what is about the
// whole machine, and again a while later.
func tellNetwork([]string) error {
	for range 2 {
		files, err := filepath.Glob("/proc/net/*")
		if err != nil {
			return err
		}
		more, err := filepath.Glob("/proc/net/*/*")
		if err != nil {
			return err
		}
		for _, path := range slices.Concat(files, more, settings()) {
			fmt.Printf("%s: %q\n", path, seen(path))
		}
		fd, err := unix.InotifyInit1(0)
		fmt.Println(fd > 0, err)
		unix.Close(fd)
		time.Sleep(20 * time.Millisecond) // five ticks of the clock of a usual kernel
	}
	return nil
}

// seen is what a file says, without what is not about the namespace.
func seen(path string) []byte {
	text, _ := os.ReadFile(path)
	name := strings.TrimPrefix(path, "/proc/net/")
	switch {
	case name == "softnet_stat" || name == "protocols" || strings.HasPrefix(name, "stat/"):
		return nil // of the machine
	case name == "sockstat" || name == "sockstat6":
		line, _, _ := bytes.Cut(text, []byte("\n"))
		return line
	case name == "netlink":
		return fmt.Append(nil, bytes.Count(text, []byte("\n")))
	case strings.HasSuffix(path, "tcp_fastopen_key"):
		return fmt.Append(nil, bytes.HasPrefix(text, []byte("00000000-00000000")))
	}
	return text
}

// What one sandbox of a pool has done in its namespaces the next one does not see, at
// once or later.
func TestNobodySeesWhoWasThereBefore(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	tell := asHelper(t, "tell")
	empty := fromPool(t, p, "", tell)
	if empty.err != nil || empty.ExitCode != 0 || !strings.Contains(empty.out, "/proc/net/snmp6: ") || strings.Contains(empty.out, "could open") {
		t.Fatalf("%+v, %v: %s", empty.Status, empty.err, empty.out)
	}
	for name := range deeds() {
		t.Run(name, func(t *testing.T) {
			keeps(t, p, 1)
			done := fromPool(t, p, "", asHelper(t, "deed", name))
			if done.err != nil || done.ExitCode != 0 || strings.Contains(done.out, "could open") {
				t.Errorf("%+v, %v: %s", done.Status, done.err, done.out)
			}
			t.Log(done.out)
			keeps(t, p, 1)
			differs(t, empty.out, fromPool(t, p, "", tell).out)
		})
	}
}

// A process in namespaces that served before has no right more than one in its own.
func TestSandboxOfAKeeperIsAsOneAlone(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
	const script = `grep -E '^(Groups|Cap|NoNew|Sec|Shd|Sig(Blk|Ign|Cgt)|NSpid|Uid|Gid|Umask|TracerPid)' /proc/self/status
		cat /proc/self/limits /proc/self/uid_map /proc/self/gid_map /proc/self/projid_map /proc/self/setgroups /proc/self/oom_score_adj /proc/self/timerslack_ns
		ulimit -a; ls -l /proc/self/fd | wc -l; cut -d' ' -f3-8 /proc/self/stat; cut -d' ' -f5- /proc/self/mountinfo | sed 's/^[0-9]*//' | sort; echo /proc/[0-9]*; hostname; nice`
	alone, pooled := shell(t, script), fromPool(t, p, script, func(cfg *Config) { cfg.Env = append(cfg.Env, "HOME="+HomeDir) })
	if pooled.err != nil || pooled.ExitCode != 0 || !strings.Contains(pooled.out, "CapEff:") {
		t.Fatalf("%+v, %v: %s", pooled.Status, pooled.err, pooled.out)
	}
	differs(t, alone.out, pooled.out)
}

func TestNothingIsOpenToASandboxOfAKeeper(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	var names []string
	for _, list := range []map[string]func() error{calls(), escapes()} {
		names = slices.AppendSeq(names, maps.Keys(list))
	}
	for range 2 {
		r := fromPool(t, p, "", asHelper(t, "attempt", names...))
		if r.err != nil || r.ExitCode != 0 || strings.Contains(r.out, "<nil>") || strings.Count(r.out, "\n") != len(names) {
			t.Errorf("got %q, %+v, %v", r.out, r.Status, r.err)
		}
		keeps(t, p, 1)
	}
}

// The keeper of a sandbox is out of its reach, as all of the host is.
func TestKeeperIsOutOfReach(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
	p.mu.Lock()
	pid := strconv.Itoa(p.keepers[0].box.pid)
	p.mu.Unlock()
	if number, _ := strconv.Atoi(pid); number < 50 {
		t.Skip("a process of the sandbox could have the same number")
	}
	fromPool(t, p, "", asHelper(t, "reach", pid)).want(t, 0, "")
	fromPool(t, p, "kill -9 -1; kill -9 0")
	if state, err := os.ReadFile("/proc/" + pid + "/stat"); err != nil || bytes.Contains(state, []byte(") Z ")) {
		t.Errorf("the keeper: %s, %v", state, err)
	}
}

// differs fails the test with the lines in which two texts differ.
func differs(t *testing.T, before, now string) {
	t.Helper()
	lines := strings.Split(before, "\n")
	for i, line := range strings.Split(now, "\n") {
		if i >= len(lines) || line != lines[i] {
			t.Errorf("%s\nwas: %s", line, lines[min(i, len(lines)-1)])
		}
	}
}
