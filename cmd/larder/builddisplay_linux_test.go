package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

// watched is a program on a terminal that is emulated, so that what a person sees
// can be told at any moment.
type watched struct {
	t        *testing.T
	keys     *os.File
	emulator vt10x.Terminal
	command  *exec.Cmd
	seen     chan struct{} // closed when nothing more will come

	mu  sync.Mutex
	raw bytes.Buffer // all that was written
}

// watch starts larder in a folder, on a terminal of 33 rows and 99 columns.
func watch(t *testing.T, folder string, environment []string, args ...string) *watched {
	t.Helper()
	keys, screen := openTerminal(t)
	w := &watched{t: t, keys: keys, emulator: vt10x.New(vt10x.WithSize(99, 33)), command: exec.Command("larder", args...), seen: make(chan struct{})}
	w.command.Dir = folder
	w.command.Stdin, w.command.Stdout, w.command.Stderr = screen, screen, screen
	w.command.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(folder, "store"), "LARDER_RESULTS=", "NO_COLOR=", "TERM=xterm", "GORACE="+noRaceSleep)
	w.command.Env = append(w.command.Env, environment...)
	w.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.command.Process.Kill() })
	screen.Close()
	go w.read()
	return w
}

func (w *watched) read() {
	defer close(w.seen)
	piece := make([]byte, 4096)
	for {
		n, err := w.keys.Read(piece)
		w.mu.Lock()
		w.raw.Write(piece[:n])
		w.mu.Unlock()
		_, _ = w.emulator.Write(piece[:n])
		if err != nil {
			return
		}
	}
}

// shows waits until every pattern matches what the terminal shows, and returns
// that.
func (w *watched) shows(patterns ...string) string {
	w.t.Helper()
	var text string
	if !eventually(func() bool {
		text = strings.Join(rowsOf(w.emulator), "\n")
		return !slices.ContainsFunc(patterns, func(p string) bool { return !regexp.MustCompile("(?m)" + p).MatchString(text) })
	}) {
		w.t.Fatalf("the terminal never showed %q, but:\n%s", patterns, text)
	}
	return text
}

func (w *watched) resize(columns, rows int) {
	w.t.Helper()
	w.emulator.Resize(columns, rows)
	conn, err := w.keys.SyscallConn()
	check(w.t, err)
	check(w.t, conn.Control(func(fd uintptr) {
		check(w.t, unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}))
	}))
}

// ends waits for the end of the program, and of what it has written.
func (w *watched) ends() (code int, raw string) {
	w.t.Helper()
	_ = w.command.Wait()
	<-w.seen
	return w.command.ProcessState.ExitCode(), w.raw.String()
}

// waitingPlan makes a folder with a plan of actions that wait until the test
// releases them, and others that do not.
func waitingPlan(t *testing.T) (folder string, release func(name string)) {
	folder = t.TempDir()
	waits := func(name, rest string) string {
		fifo := filepath.Join(folder, "fifo-"+name)
		check(t, unix.Mkfifo(fifo, 0o600))
		return fmt.Sprintf(`"argv": ["sh", "-c", "read x <%s; %s"]`, fifo, rest)
	}
	text := fmt.Sprintf(`{"schema": 1, "actions": [
		{"name": "quick", "argv": ["true"]},
		{"name": "bad", %s},
		{"name": "中文-שלום-%s-end", %s},
		{"name": "third", %s},
		{"name": "after", "argv": ["true", "after"], "from": [{"action": "third"}]}]}`,
		waits("bad", `echo 'what went'; printf wrong >&2; exit 3`), strings.Repeat("long", 30), waits("long", "true"), waits("third", "echo a word"))
	check(t, os.WriteFile(filepath.Join(folder, "plan.json"), []byte(text), 0o644))
	return folder, func(name string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(folder, "fifo-"+name), []byte("go\n"), 0))
	}
}

// TestTheDisplayOfThePage: docs/using.md shows a moment of a build as a terminal
// does, but for the times.
func TestTheDisplayOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/using.md")
	check(t, err)
	sample := regexp.MustCompile("(?s)```text\n([^`]*larder \\[#.*?)```").FindSubmatch(page)
	if sample == nil {
		t.Fatal("the page shows no display")
	}
	moment := regexp.QuoteMeta(strings.TrimSpace(string(sample[1])))
	moment = regexp.MustCompile(`[0-9]+\\\.[0-9]+`).ReplaceAllString(moment, `[0-9.]+`)
	moment = regexp.MustCompile(`about [0-9]+s`).ReplaceAllString(moment, `about [0-9hms]+`)
	folder := t.TempDir()
	check(t, errors.Join(unix.Mkfifo(filepath.Join(folder, "one"), 0o600), unix.Mkfifo(filepath.Join(folder, "two"), 0o600)))
	check(t, os.WriteFile(filepath.Join(folder, "plan.json"), []byte(fmt.Sprintf(`{"schema": 1, "actions": [
		{"name": "docs", "argv": ["true"]},
		{"name": "lint", "argv": ["sh", "-c", "echo main.c:3: this line is too long; exit 1"], "from": [{"action": "docs"}]},
		{"name": "compile", "argv": ["sh", "-c", "read x <%[1]s/one"]},
		{"name": "test", "argv": ["sh", "-c", "read x <%[1]s/two"]},
		{"name": "package", "argv": ["true"], "from": [{"action": "compile"}]}]}`, folder)), 0o644))
	w := watch(t, folder, nil, "build", "--sandbox", "directory", "--jobs", "3", "--keep-going", "plan.json")
	w.shows(`\A` + moment + `\s*\z`)
	check(t, errors.Join(os.WriteFile(filepath.Join(folder, "one"), []byte("go\n"), 0), os.WriteFile(filepath.Join(folder, "two"), []byte("go\n"), 0)))
	if code, _ := w.ends(); code != codeActionFailed {
		t.Errorf("exit code %d", code)
	}
}

func TestBuildOnATerminalShowsWhatRuns(t *testing.T) {
	folder, release := waitingPlan(t)
	w := watch(t, folder, nil, "build", "--sandbox", "directory", "--jobs", "3", "--keep-going", "plan.json")
	text := w.shows(`^larder \[#{8}\.{32}\] 1 of 5, 1 ran, [0-9.]+s, about [0-9hms]+ left$`, `s  bad$`, `s  third$`, `s  中文-שלום-(long)+.*\.\.\..*(long)+-end`)
	if strings.Contains(text, "quick") || strings.Contains(text, "after") {
		t.Errorf("what does not run is shown:\n%s", text)
	}
	w.resize(50, 20)
	text = w.shows(`^la[a-z.]* \[[#.]+\] 1 of 5, 1 ran, [0-9.]+s, about [0-9hms]+ left$`, `s  中文-.*\.\.\..*-end`)
	for row := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(row, "\n"))); n >= 50 {
			t.Errorf("a row of %d characters: %q", n, row)
		}
	}

	// What a failed action said stays above, whole, each stream as lines.
	release("bad")
	text = w.shows(`\A\[2/5\] bad: failed with exit code 3, after [0-9.]+ s\nwhat went\nwrong\n(la[a-z.]* \[[#.]+\] )?2 of 5, 1 failed`)
	if regexp.MustCompile(`s  bad$`).MatchString(text) {
		t.Errorf("it is still shown as running:\n%s", text)
	}
	release("third")
	w.shows(`wrong\n\[3/5\] third: ran in [0-9.]+ s \(the first time\)\na word\n.*4 of 5, 1 failed, 3 ran`)
	release("long")
	code, raw := w.ends()
	text = w.shows(`^a word\nlarder: 5 actions in [0-9.]+ s: 4 ran, 1 failed \(bad\n?\)\nlarder: why they ran: the first time \(5\)`)
	if code != codeActionFailed || strings.Contains(text, "##") || strings.Contains(text, "after\n") {
		t.Errorf("exit code %d, the terminal shows\n%s", code, text)
	}
	if !strings.Contains(raw, red+"[2/5]") || w.emulator.Cursor().X != 0 {
		t.Errorf("the cursor is at %v after %q", w.emulator.Cursor(), raw)
	}
}

// TestBuildCanBeInterruptedAtATerminal: Ctrl-C leaves what ended, and a terminal
// without remains.
func TestBuildCanBeInterruptedAtATerminal(t *testing.T) {
	folder, release := waitingPlan(t)
	args := []string{"build", "--sandbox", "directory", "--jobs", "3", "plan.json", "quick", "third", "after"}
	w := watch(t, folder, []string{"NO_COLOR=1"}, args...)
	w.shows(`1 of 3, 1 ran`, `s  third$`)
	_, err := w.keys.WriteString("\x03")
	check(t, err)
	code, raw := w.ends()
	text := w.shows(`\A\[2/3\] third: failed: `, `^larder: 3 actions in [0-9.]+ s: 1 ran, 1 failed \(third\), 1 not run \(after\), interrupted by signal 2`, `^larder: why they ran: the first time \(quick, third\)`)
	if code != 130 || strings.Contains(text, "^C") || strings.Contains(text, "##") || strings.Contains(raw, red) || strings.Contains(raw, yellow) {
		t.Errorf("exit code %d, the terminal shows\n%s\nafter %q", code, text, raw)
	}

	// The next one goes on from there.
	w = watch(t, folder, nil, args...)
	w.shows(`1 of 3, 1 reused`, `s  third$`)
	release("third")
	code, _ = w.ends()
	text = w.shows(`: 2 ran, 1 reused\nlarder: why they ran: it .* the last time \(third\); the first time \(after\)`)
	if code != 0 || strings.Contains(text, "s  third") {
		t.Errorf("exit code %d, the terminal shows\n%s", code, text)
	}
}

func TestBuildOnADumbTerminalIsPlainLines(t *testing.T) {
	folder, release := waitingPlan(t)
	w := watch(t, folder, []string{"TERM=dumb"}, "build", "--sandbox", "directory", "plan.json", "quick", "third")
	w.shows(`^\[1/2\] quick: ran in `)
	release("third")
	code, raw := w.ends()
	if code != 0 || strings.Contains(raw, "\x1b") || !strings.Contains(raw, "[2/2] third: ran in ") {
		t.Errorf("exit code %d after %q", code, raw)
	}
}
