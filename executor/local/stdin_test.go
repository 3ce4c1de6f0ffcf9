package local_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/executor"
	"larder/executor/action"
)

// source makes a standard input anew for each run.
type source func(t *testing.T) *os.File

func fileWith(text string) source {
	return func(t *testing.T) *os.File {
		path := filepath.Join(t.TempDir(), "input")
		put(t, path, text)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		return file
	}
}

// pipeWith is a pipe that gets text, and then ends or stays open.
func pipeWith(text string, ends bool) source {
	return func(t *testing.T) *os.File {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { read.Close() })
		go func() {
			_, _ = write.WriteString(text)
			if ends {
				write.Close()
			}
		}()
		if !ends {
			t.Cleanup(func() { write.Close() })
		}
		return read
	}
}

func TestStandardInputDecidesWhatIsKept(t *testing.T) {
	large := strings.Repeat("0123456789abcde\n", 20_000)
	for _, c := range []struct {
		name, script string
		from         source
		out          string
		kept         bool // and then used for any input
	}{
		{"file, read", "cat", fileWith("text"), "text", false},
		{"file, partly read", "head -c1 >/dev/null; echo x", fileWith("text"), "x", false},
		{"file, unread", "echo x", fileWith("text"), "x", true},
		{"file, read by its name", "cat /dev/stdin", fileWith("text"), "text", false},
		{"large file, partly read", "dd bs=1 count=1 2>/dev/null", fileWith(large), "0", false},
		{"pipe, read", "cat", pipeWith("text", true), "text", false},
		{"pipe, partly read", "dd bs=1 count=1 2>/dev/null", pipeWith("text", true), "t", false},
		{"pipe, unread", "echo x", pipeWith("text", false), "x", true},
		{"pipe, unread, ended", "echo x", pipeWith("text", true), "x", true},
		{"pipe, silent", "echo x", pipeWith("", false), "x", true},
		{"large pipe, read", "wc -c", pipeWith(large, true), "320000", false},
		{"large pipe, unread", "echo x", pipeWith(large, true), "x", true},
		{"large pipe, closed early", "head -n1", pipeWith(large, true), "0123456789abcde", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTestBench(t)
			policy := executor.ResultPolicy{Read: true, Write: true}
			spec := action.Spec{Argv: []string{"sh", "-c", c.script}}
			run := func(from source) ran {
				var out bytes.Buffer
				r := b.run(t, spec, executor.Request{Results: policy, Streams: executor.Streams{
					Input: executor.ClassifyInput(from(t)), Stdout: &out, Stderr: &out,
				}})
				r.stdout = out.String()
				return r
			}
			run(c.from).want(t, 0, c.out)
			again := run(c.from).want(t, 0, c.out)
			if kept := again.Cached == "local"; kept != c.kept {
				t.Errorf("kept: %v, want %v", kept, c.kept)
			}
			b.wantNothingLeft(t)
		})
	}
}

func TestAFileAsStandardInputIsNotGivenAway(t *testing.T) {
	for script, left := range map[string]string{
		"echo changed > /proc/self/fd/0; true": "",
		"chmod 600 /dev/stdin; true":           "one\ntwo\n",
		"read line":                            "two\n",
		"cat":                                  "",
	} {
		b := newTestBench(t)
		file := fileWith("one\ntwo\n")(t)
		if err := file.Chmod(0o640); err != nil {
			t.Fatal(err)
		}
		spec := action.Spec{Argv: []string{"sh", "-c", script}}
		b.run(t, spec, executor.Request{Streams: executor.Streams{
			Input: executor.ClassifyInput(file), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		}})
		rest, err := io.ReadAll(file)
		if err != nil || left != "" && string(rest) != left {
			t.Errorf("%s: after it %q, %v is left to read; want %q", script, rest, err, left)
		}
		text, err := os.ReadFile(file.Name())
		if err != nil || string(text) != "one\ntwo\n" {
			t.Errorf("%s: the file holds %q, %v", script, text, err)
		}
		if info, err := file.Stat(); err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: the file has mode %v, %v", script, info.Mode(), err)
		}
	}
}

func TestACommandThatReadsNothingDoesNotWaitForItsInput(t *testing.T) {
	b := newTestBench(t)
	spec := action.Spec{Argv: []string{"true"}}
	fastest := time.Hour
	for range 5 {
		began := time.Now()
		input := executor.ClassifyInput(pipeWith("", false)(t))
		b.run(t, spec, executor.Request{Streams: executor.Streams{Input: input, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}}).want(t, 0, "")
		fastest = min(fastest, time.Since(began))
	}
	t.Logf("the fastest run with an open pipe took %v", fastest)
	if fastest > time.Second {
		t.Errorf("the fastest run took %v", fastest)
	}
}

func TestATerminalThatIsReadIsNotKept(t *testing.T) {
	for _, c := range []struct{ name, script, want, again string }{
		{"read", "read line; echo $line; echo > out", "typed\ncached: no\n", "typed\ncached: no\n"},
		{"unread", "test -t 0 && echo yes; echo > out", "yes\ncached: no\n", "yes\ncached: local\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTestBench(t)
			for _, want := range []string{c.want, c.again} {
				user, side := terminal(t)
				command := exec.Command("/proc/self/exe", b.root, c.script, "kept")
				command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", helperVariable+"="+b.layout.Root())
				command.Stdin = side
				command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
				if _, err := user.WriteString("typed\n"); err != nil {
					t.Fatal(err)
				}
				out, err := command.CombinedOutput()
				if err != nil || string(out) != want {
					t.Fatalf("%q, %v; want %q", out, err, want)
				}
			}
		})
	}
}
