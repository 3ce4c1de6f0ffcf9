package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sshServer is an sshd of the user who runs the test, on a port of the loopback
// interface, with keys of its own.
type sshServer struct {
	folder, user string
	sftp         string // the program behind each share
	port         int
}

// sftpServers are the places where systems have the program behind sftp.
var sftpServers = [...]string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"}

// needShares says what is missing for a share over loopback.
func needShares() (sshd, sftp string, err error) {
	for _, program := range []string{"sshfs", "ssh", "ssh-keygen", "fusermount3"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", "", err
		}
	}
	for _, path := range sftpServers {
		if _, err := os.Stat(path); err == nil {
			sftp = path
		}
	}
	if sftp == "" {
		return "", "", errors.New("there is no sftp-server")
	}
	// It wants to be started by its whole path, which is on no user's PATH.
	if sshd, err = exec.LookPath("sshd"); err != nil {
		sshd, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		return "", "", err
	}
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return "", "", err
	}
	return sshd, sftp, fuse.Close()
}

// newSSHServer starts it, or skips the test with the reason. FUSE takes a device
// that containers often lack, so this is no failure under CI=true.
func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	needSandbox(t)
	sshd, sftp, err := needShares()
	if err != nil {
		t.Skipf("what a share over loopback needs is missing: %v", err)
	}
	who, err := user.Current()
	check(t, err)
	s := &sshServer{folder: t.TempDir(), user: who.Username, sftp: sftp}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s.port = listener.Addr().(*net.TCPAddr).Port
	check(t, listener.Close())
	for _, name := range []string{"host", "key"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path(name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	config := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n", s.port, s.path("host"), s.path("key.pub"))
	check(t, os.WriteFile(s.path("config"), []byte(config), 0o600))
	s.start(t, sshd)
	return s
}

func (s *sshServer) path(name string) string { return filepath.Join(s.folder, name) }

func (s *sshServer) start(t *testing.T, program string) {
	t.Helper()
	if os.Getuid() == 0 {
		_ = os.Mkdir("/run/sshd", 0o755) // where one that root starts locks itself in
	}
	var said bytes.Buffer
	server := exec.Command(program, "-D", "-e", "-f", s.path("config"))
	server.Stderr = &said
	server.WaitDelay = time.Second // a share that is still mounted has the stream as well
	check(t, server.Start())
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	t.Cleanup(func() { _ = server.Process.Kill(); <-ended })
	if !eventually(func() bool {
		select {
		case <-ended:
			t.Skipf("no sshd can be started here: %s", said.String())
		default:
		}
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatal("sshd does not listen")
	}
}

// netShare is a folder that is mounted from the server, with a store and a root.
type netShare struct {
	*testing.T
	server             *sshServer
	origin, mount      string
	root, store, place string
	sftp               int // the server's process for this mount
}

func (s *sshServer) share(t *testing.T, files map[string]string) *netShare {
	t.Helper()
	place := t.TempDir()
	n := &netShare{T: t, server: s, place: place}
	for name, to := range map[string]*string{"origin": &n.origin, "mount": &n.mount, "root": &n.root, "store": &n.store} {
		*to = filepath.Join(place, name)
		check(t, os.Mkdir(*to, 0o755))
	}
	for name, content := range files {
		n.write(name, content)
	}
	t.Cleanup(n.detach)
	n.attach()
	return n
}

func (n *netShare) write(name, content string) {
	n.Helper()
	path := filepath.Join(n.origin, name)
	check(n, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)))
}

// attach mounts it, without the memory that sshfs has of what it saw. The server is one
// of this mount alone, and writes down its number, for the tests to stop it.
func (n *netShare) attach() {
	n.Helper()
	s, number := n.server, filepath.Join(n.place, "number")
	check(n, os.WriteFile(n.script(), fmt.Appendf(nil, "echo $$ >%s\nexec %s\n", number, s.sftp), 0o644))
	options := fmt.Sprintf("sftp_server=exec /bin/sh %s,IdentityFile=%s,Port=%d,IdentitiesOnly=yes,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,dir_cache=no,attr_timeout=0,entry_timeout=0", n.script(), s.path("key"), s.port)
	out, err := exec.Command("sshfs", "-F", "/dev/null", "-o", options, fmt.Sprintf("%s@127.0.0.1:%s", s.user, n.origin), n.mount).CombinedOutput()
	if err != nil {
		n.Skipf("sshfs cannot mount here: %v: %s", err, out)
	}
	data, err := os.ReadFile(number)
	check(n, err)
	n.sftp, err = strconv.Atoi(strings.TrimSpace(string(data)))
	check(n, err)
}

// script is what the other machine runs for this share.
func (n *netShare) script() string { return filepath.Join(n.place, "serve") }

// signal stops the other machine or lets it go on.
func (n *netShare) signal(s syscall.Signal) {
	if n.sftp > 0 {
		_ = syscall.Kill(n.sftp, s)
	}
}

// goAway ends the other machine for good: sshfs asks for a new server when somebody looks at
// the share between the end of its server and its own (sshfs 3.7.3, start_processing_thread).
func (n *netShare) goAway() {
	if os.Remove(n.script()) == nil {
		n.signal(syscall.SIGKILL)
	}
}

// detach ends the server, and with it all who wait for it.
func (n *netShare) detach() {
	n.goAway()
	eventually(func() bool {
		_ = exec.Command("fusermount3", "-u", "-z", n.mount).Run()
		list, err := os.ReadFile("/proc/self/mountinfo")
		return err == nil && !strings.Contains(string(list), n.mount)
	})
}

// began is a larder in the background.
type began struct {
	*exec.Cmd
	out, said *syncBuffer
}

func (n *netShare) begin(args ...string) *began {
	n.Helper()
	program, err := os.Executable()
	check(n, err)
	b := &began{&exec.Cmd{Path: program, Args: append([]string{"larder"}, args...), Dir: n.root}, new(syncBuffer), new(syncBuffer)}
	b.Env = append(os.Environ(), "HOME="+n.place, "LARDER_STORE="+n.store, "GORACE="+noRaceSleep)
	b.Stdout, b.Stderr = b.out, b.said
	// What was left behind has these streams as well.
	b.WaitDelay = 100 * time.Millisecond
	check(n, b.Start())
	return b
}

// end waits for the larder that began, and bounds the wait.
func (n *netShare) end(b *began, within time.Duration) int {
	n.Helper()
	late := time.AfterFunc(within, func() {
		n.Errorf("%q is still there after %v; it said %q", b.Args, within, b.said)
		n.goAway()
	})
	defer late.Stop()
	if err := b.Wait(); err != nil && b.ProcessState == nil {
		n.Fatal(err)
	}
	return b.ProcessState.ExitCode()
}

// larder runs it to its end, which has to be good.
func (n *netShare) larder(args ...string) (stdout string) {
	n.Helper()
	b := n.begin(args...)
	if code := n.end(b, patience); code != 0 {
		n.Fatalf("larder %q ended with %d: %s", args, code, b.said)
	}
	return b.out.String()
}

// statuses are those of all copies.
func (n *netShare) statuses() string {
	return strings.Join(strings.Fields(n.larder("cache", "list", "--format", "tab", "--columns", "status")), " ")
}

// says waits for a text.
func (n *netShare) says(b *began, from *syncBuffer, text string) {
	n.Helper()
	if !eventually(func() bool { return strings.Contains(from.String(), text) }) {
		n.Errorf("%q never said %q; it said %q", b.Args, text, b.said)
	}
}

// syncBuffer may be read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds text.
func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

// String is all of it so far.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
