//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a real terminal with a program on it.
type terminal struct {
	master *os.File
	cmd    *exec.Cmd
	mutex  sync.Mutex
	seen   []byte
}

// onTerminal starts a sandbox with script in a session of its own, on a new
// terminal.
func onTerminal(t *testing.T, script string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	x := &terminal{master: master, cmd: outside(t, "supervise", script, "terminal")}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.cmd.Process.Kill(); _ = x.cmd.Wait() })
	go x.read()
	return x
}

func (x *terminal) read() {
	buffer := make([]byte, 1024)
	for {
		n, err := x.master.Read(buffer)
		if err != nil {
			return
		}
		x.mutex.Lock()
		x.seen = append(x.seen, buffer[:n]...)
		x.mutex.Unlock()
	}
}

func (x *terminal) expect(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the terminal shows %q", text), func() bool {
		x.mutex.Lock()
		defer x.mutex.Unlock()
		return bytes.Contains(x.seen, []byte(text))
	})
}

func (x *terminal) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// state is the letter that the kernel has for the state of the caller.
func (x *terminal) state(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", x.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Fields(text[bytes.LastIndexByte(text, ')'):])[1])
}

func TestTerminalIsTheCommands(t *testing.T) {
	requireSandbox(t)
	x := onTerminal(t, "test -t 0 && echo has one; read answer </dev/tty; echo got $answer; stty size")
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 77}); err != nil {
		t.Fatal(err)
	}
	x.expect(t, "has one")
	x.press(t, "this\n")
	x.expect(t, "got this")
	x.expect(t, "33 77")
	x.expect(t, "exit=0 signal=0")
}

func TestInterruptKeyReachesTheCommandOnly(t *testing.T) {
	requireSandbox(t)
	x := onTerminal(t, "echo ready; exec sleep 1000")
	x.expect(t, "ready")
	x.press(t, "\x03")
	x.expect(t, "exit=-1 signal=2")
}

func TestWindowChangeReachesTheCommand(t *testing.T) {
	requireSandbox(t)
	x := onTerminal(t, "trap 'echo changed; exit 3' WINCH; echo ready; while :; do sleep 0.01; done")
	x.expect(t, "ready")
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 55}); err != nil {
		t.Fatal(err)
	}
	x.expect(t, "changed")
	x.expect(t, "exit=3")
}

func TestStopKeyStopsTheCallerToo(t *testing.T) {
	requireSandbox(t)
	x := onTerminal(t, "echo ready; read a; echo got $a")
	x.expect(t, "ready")
	x.press(t, "\x1a")
	eventually(t, "the caller is stopped", func() bool { return x.state(t) == "T" })
	if err := syscall.Kill(-x.cmd.Process.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	x.press(t, "more\n")
	x.expect(t, "got more")
	x.expect(t, "exit=0 signal=0")
}

func TestWithoutATerminalThereIsNone(t *testing.T) {
	requireSandbox(t)
	shell(t, "test -t 0 || echo none; (: </dev/tty) 2>/dev/null || echo no tty").want(t, 0, "none\nno tty")
}

func TestTerminalsOfItsOwn(t *testing.T) {
	requireSandbox(t)
	r := start(t, t.Context(), asHelper(t, "attempt", "push input"))
	if bytes.Contains([]byte(r.out), []byte("<nil>")) {
		t.Errorf("no terminal could be opened inside: %q", r.out)
	}
}
