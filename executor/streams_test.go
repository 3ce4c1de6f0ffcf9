package executor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// classifyVariable makes the test binary say what its standard input is.
const classifyVariable = "EXECUTOR_TEST_CLASSIFY"

func TestMain(m *testing.M) {
	if os.Getenv(classifyVariable) == "" {
		os.Exit(m.Run())
	}
	fmt.Print(ClassifyInput(os.Stdin).Kind)
}

// pipe is a pipe of which the writer has text to say and then, perhaps, ends.
func pipe(t testing.TB, text string, ends bool) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	if _, err := write.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if ends {
		write.Close()
	}
	return read
}

func opened(t testing.TB, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// textFile is a file with text in it, read up to offset.
func textFile(t testing.TB, text string, offset int64) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, text)
	file := opened(t, path)
	if _, err := file.Seek(offset, 0); err != nil {
		t.Fatal(err)
	}
	return file
}

func socket(t testing.TB) *os.File {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	one, two := os.NewFile(uintptr(ends[0]), "one"), os.NewFile(uintptr(ends[1]), "two")
	t.Cleanup(func() { one.Close(); two.Close() })
	return one
}

func TestClassifyInput(t *testing.T) {
	closed := opened(t, os.DevNull)
	closed.Close()
	for name, c := range map[string]struct {
		file *os.File
		want InputKind
	}{
		"none":                       {nil, InputNone},
		"closed":                     {closed, InputNone},
		"/dev/null":                  {opened(t, os.DevNull), InputNone},
		"/dev/zero":                  {opened(t, "/dev/zero"), InputNone},
		"a directory":                {opened(t, t.TempDir()), InputNone},
		"an empty file":              {textFile(t, "", 0), InputNone},
		"a file":                     {textFile(t, "text", 0), InputFile},
		"a file, partly read":        {textFile(t, "text", 2), InputFile},
		"a file, read to its end":    {textFile(t, "text", 4), InputNone},
		"a pipe with text":           {pipe(t, "text", false), InputPipe},
		"a pipe with text and end":   {pipe(t, "text", true), InputPipe},
		"a pipe that may get text":   {pipe(t, "", false), InputPipe},
		"a pipe at its end":          {pipe(t, "", true), InputNone},
		"a socket":                   {socket(t), InputPipe},
		"a terminal of someone else": {terminal(t), InputNone},
	} {
		if got := ClassifyInput(c.file); got.Kind != c.want || (got.Kind != InputNone && got.File != c.file) {
			t.Errorf("%s: got %d, want %d", name, got.Kind, c.want)
		}
	}
}

func TestATerminalCountsInItsForegroundOnly(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	foreground := exec.Command(program)
	foreground.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	background := exec.Command("/bin/sh", "-mc", program+" & wait $!")
	background.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	for command, want := range map[*exec.Cmd]InputKind{foreground: InputTerminal, background: InputNone} {
		command.Stdin, command.Env = terminal(t), append(os.Environ(), classifyVariable+"=1")
		out, err := command.Output()
		if err != nil || !strings.Contains(string(out), fmt.Sprint(want)) {
			t.Errorf("%v: %q, %v; want %d", command.Args, out, err, want)
		}
	}
}
