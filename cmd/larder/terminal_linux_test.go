package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/sandbox"
)

// terminal is the side of a pseudo-terminal on which a person sits, with the
// program that runs on the other side.
type terminal struct {
	t       *testing.T
	keys    *os.File
	command *exec.Cmd
	shown   bytes.Buffer
}

// onTerminal starts larder on a terminal of 33 rows and 99 columns, with a
// store of its own.
func onTerminal(t *testing.T, store string, args ...string) *terminal {
	t.Helper()
	keys, screen := openTerminal(t)
	command := exec.Command("larder", args...)
	command.Stdin, command.Stdout, command.Stderr = screen, screen, screen
	command.Env = append(os.Environ(), "LARDER_STORE="+store, "LARDER_RESULTS=", "GORACE="+noRaceSleep)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	screen.Close()
	return &terminal{t: t, keys: keys, command: command}
}

func openTerminal(t *testing.T) (keys, screen *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		gate(t, "a pseudo-terminal", err)
	}
	keys = os.NewFile(uintptr(fd), "terminal")
	t.Cleanup(func() { keys.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}),
		keys.SetReadDeadline(time.Now().Add(patience)))
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keys, screen
}

// sees reads until the screen shows the text.
func (c *terminal) sees(text string) {
	c.t.Helper()
	piece := make([]byte, 4096)
	for !strings.Contains(c.shown.String(), text) {
		n, err := c.keys.Read(piece)
		c.shown.Write(piece[:n])
		if err != nil {
			c.t.Fatalf("the screen never showed %q: %v; it shows:\n%s", text, err, c.shown.String())
		}
	}
}

func (c *terminal) types(text string) {
	c.t.Helper()
	if _, err := c.keys.WriteString(text); err != nil {
		c.t.Fatal(err)
	}
}

// ends waits for the program and returns its exit code.
func (c *terminal) ends() int {
	c.t.Helper()
	err := c.command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return c.command.ProcessState.ExitCode()
}

// newStore returns the place of a store, which is removed after the test.
func newStore(t *testing.T) string {
	t.Helper()
	place, err := os.MkdirTemp("", "larder-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Remove(place); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(place, "store")
}

func cachedSays(t *testing.T, record, want string) {
	t.Helper()
	result, err := readRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	if result.Cached != want {
		t.Errorf("cached %s, not %s", result.Cached, want)
	}
}

func TestTerminalAnInteractiveCommandSeesItsWindowAndKeys(t *testing.T) {
	needSandbox(t)
	for _, flags := range [][]string{{"run", "--no-cache"}, {"run"}} {
		screen := onTerminal(t, newStore(t), append(flags, "--", "sh", "-c", "stty size; test -t 0 && read x; echo got $x")...)
		screen.sees("33 99")
		screen.types("words\n")
		screen.sees("got words")
		if code := screen.ends(); code != 0 {
			t.Errorf("%v: exit code %d", flags, code)
		}
	}
}

func TestTerminalOutputIsATerminalOnlyWhenNothingIsKept(t *testing.T) {
	needSandbox(t)
	script := "test -t 1 && echo terminal || echo captured"
	screen := onTerminal(t, newStore(t), "run", "--no-cache", "--", "sh", "-c", script)
	screen.sees("terminal")
	screen.ends()
	screen = onTerminal(t, newStore(t), "run", "--", "sh", "-c", script)
	screen.sees("captured")
	screen.ends()
}

func TestTerminalAnAnswerThatWasTypedIsNotKept(t *testing.T) {
	needSandbox(t)
	store, record := newStore(t), filepath.Join(t.TempDir(), "result.json")
	for _, word := range []string{"first", "second"} {
		screen := onTerminal(t, store, "run", "--json", record, "--", "sh", "-c", "echo ask; read x; echo got $x")
		screen.sees("ask")
		screen.types(word + "\n")
		screen.sees("got " + word)
		screen.ends()
		cachedSays(t, record, "no")
	}
	for _, want := range []string{"no", "local"} {
		screen := onTerminal(t, store, "run", "--json", record, "--", "echo", "unread")
		screen.sees("unread")
		screen.ends()
		cachedSays(t, record, want)
	}
}

func TestTerminalControlCEndsTheCommand(t *testing.T) {
	needSandbox(t)
	for _, flags := range [][]string{{"run", "--no-cache"}, {"run"}} {
		// Not a shell: it may take the key between two of its commands, and wait.
		screen := onTerminal(t, newStore(t), append(flags, "--", "cat")...)
		screen.types("words\n")
		screen.sees("words\r\nwords")
		screen.types("\x03")
		if code := screen.ends(); code != 130 {
			t.Errorf("%v: exit code %d, not 130", flags, code)
		}
	}
}

func TestTerminalRemovingSeveralCachesAsksFirst(t *testing.T) {
	store, source := newStore(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		onTerminal(t, store, "cache", "add", name, source).ends()
	}
	screen := onTerminal(t, store, "cache", "remove", "*")
	screen.sees("Remove these 2 (2 B)? [y/N] ")
	screen.types("n\n")
	screen.sees("nothing was removed")
	if code := screen.ends(); code != codeFailed {
		t.Errorf("exit code %d after no", code)
	}
	screen = onTerminal(t, store, "cache", "remove", "o*")
	screen.sees("removed one")
	screen.ends()
	onTerminal(t, store, "cache", "add", "one", source).ends()
	screen = onTerminal(t, store, "cache", "remove", "*")
	screen.sees("[y/N] ")
	screen.types("y\n")
	screen.sees("removed two")
	screen.ends()
	onTerminal(t, store, "cache", "add", "one", source).ends()
	onTerminal(t, store, "cache", "add", "two", source).ends()
	screen = onTerminal(t, store, "cache", "remove", "--force", "*")
	screen.sees("removed two")
	screen.ends()
}

func TestTerminalShellShowsWhereOneIs(t *testing.T) {
	needSandbox(t)
	screen := onTerminal(t, newStore(t), "shell", "-e", "TERM=dumb", "--mutable", "some=sub/cache")
	screen.sees("what it writes is discarded, in caches too")
	screen.sees("larder:/build$ ")
	screen.types("stty size; cd sub/cache; set -o | grep monitor; echo at $((40+2))\n")
	screen.sees("33 99")
	screen.sees("on\r\n") // it has job control
	screen.sees("at 42")
	screen.sees("larder:/build/sub/cache$ ")
	screen.types("exit 9\n")
	if code := screen.ends(); code != 9 {
		t.Errorf("exit code %d, not 9", code)
	}
}
