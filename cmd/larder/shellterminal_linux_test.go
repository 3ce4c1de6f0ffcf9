package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// screen is a terminal with larder on it.
type screen struct {
	t       *testing.T
	master  *os.File
	command *exec.Cmd
	mutex   sync.Mutex
	shown   []byte
}

// onScreen starts a command in a session of its own on a new terminal.
func onScreen(t *testing.T, command *exec.Cmd) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { master.Close() })
	s := &screen{t: t, master: master, command: command}
	var number int
	s.control(func(fd int) error {
		err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
		if err == nil {
			number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		}
		return err
	})
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	defer slave.Close()
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	check(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() }) // unless it has ended
	go s.watch()
	return s
}

// control makes a call on the terminal, which can still be closed while somebody
// reads from it.
func (s *screen) control(call func(fd int) error) {
	s.t.Helper()
	conn, err := s.master.SyscallConn()
	check(s.t, err)
	var callErr error
	check(s.t, conn.Control(func(fd uintptr) { callErr = call(int(fd)) }))
	check(s.t, callErr)
}

func (s *screen) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.master.Read(buffer)
		if err != nil {
			return
		}
		s.mutex.Lock()
		s.shown = append(s.shown, buffer[:n]...)
		s.mutex.Unlock()
	}
}

// expect waits until something new on the screen holds text.
func (s *screen) expect(text string) {
	s.t.Helper()
	if !eventually(func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		_, rest, found := bytes.Cut(s.shown, []byte(text))
		if found {
			s.shown = rest
		}
		return found
	}) {
		s.t.Fatalf("the screen never showed %q, but: %q", text, s.shown)
	}
}

func (s *screen) press(keys string) {
	s.t.Helper()
	_, err := s.master.WriteString(keys)
	check(s.t, err)
}

func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
}

// state is the letter that the kernel has for the state of larder.
func (s *screen) state() string {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	check(s.t, err)
	return string(bytes.Fields(text[bytes.LastIndexByte(text, ')'):])[1])
}

// TestJobControlInAShell does what people do at a terminal. What is typed shows on
// the screen too, so what is expected is never typed as such.
func TestJobControlInAShell(t *testing.T) {
	needSandbox(t)
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
	command := s.command("shell")
	command.Env = append(command.Env, "TERM=dumb", "PS1=")
	x := onScreen(t, command)
	x.expect("exit leaves it")

	x.resize(33, 77)
	x.press("stty size\r")
	x.expect("33 77")

	// The key for an interrupt ends the job and not the shell.
	x.press("sh -c 'echo run''ning; exec sleep 1000'; echo code $?.\r")
	x.expect("running")
	x.press("\x03")
	x.press("echo the code was $?.\r")
	x.expect("the code was 130.")

	// A job is stopped, goes on in the background and in the foreground again, where
	// it reads what is typed.
	x.press("sh -c 'echo wait''ing; read word; echo it read $word.'\r")
	x.expect("waiting")
	x.press("\x1a")
	x.expect("Stopped")
	if x.state() == "T" {
		t.Error("larder was stopped with the job")
	}
	x.press("bg %1; until jobs -s | grep -q .; do sleep 0.02; done; echo it stopped as it read in the back''ground\r")
	x.expect("it stopped as it read in the background")
	x.expect("larder:/build$ ") // before that the shell may say once more that it is stopped
	x.press("fg %1\r")
	x.expect("sh -c 'echo wait")
	x.press("typed\r")
	x.expect("it read typed.")

	// A change of the size of the window reaches the job in the foreground.
	x.press("sh -c 'trap \"stty size; exit\" WINCH; echo watch''ing; while :; do sleep 0.02; done'\r")
	x.expect("watching")
	x.resize(44, 55)
	x.expect("44 55")

	x.press("exit 5\r")
	err := command.Wait()
	if code := command.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit code %d, %v; the screen: %q", code, err, x.shown)
	}
}

// TestAShellEndsWithItsTerminal: when the window is closed nobody stays.
func TestAShellEndsWithItsTerminal(t *testing.T) {
	needSandbox(t)
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
	x := onScreen(t, s.command("shell"))
	x.expect("exit leaves it")
	mark := fmt.Sprintf("1000.%d77", os.Getpid())
	x.press("sleep " + mark + "\r")
	if !eventually(func() bool { return strings.Contains(strings.Join(processesWith("sleep\x00"+mark), " "), "cmdline") }) {
		t.Fatal("the job did not start")
	}
	check(t, x.master.Close())
	_ = x.command.Wait() // by a signal, or by the end of the input
	if !eventually(func() bool { return len(processesWith("sleep\x00"+mark)) == 0 }) {
		t.Errorf("left: %v", processesWith("sleep\x00"+mark))
	}
	s.nothingIsLeft()
}
