//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// long is the long form of a figure when LARDER_STRESS is set, else the short one.
func long(short, long int) int {
	if os.Getenv("LARDER_STRESS") != "" {
		return long
	}
	return short
}

// TestWriteThenExecute: a process that is being made has all files of its creator
// open for a moment, also those that another goroutine has just written, and
// the kernel does not execute a file that somebody has open for writing.
func TestWriteThenExecute(t *testing.T) {
	requireSandbox(t)
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	view, dir := SystemView(), t.TempDir()
	each := long(50, 1000)
	var over atomic.Bool
	var spawners, writers sync.WaitGroup
	for range 3 {
		spawners.Go(func() {
			for !over.Load() {
				if status, err := Run(t.Context(), Config{View: view, Args: []string{"true"}}); err != nil || status.ExitCode != 0 {
					t.Errorf("a run beside: %+v, %v", status, err)
					return
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				path := filepath.Join(dir, fmt.Sprintf("tool-%d-%d", w, i))
				ahead, err := Start(Config{}, func() View { return view }) // so that little time passes from the write to the execve
				if err == nil {
					err = os.WriteFile(path, program, 0o755)
				}
				if err != nil {
					t.Error(err)
					return
				}
				status, err := ahead.Run(t.Context(), Config{Args: []string{"/tool"}, Binds: []Bind{{Source: path, Target: "/tool"}}})
				if err != nil || status.Exec != nil || status.ExitCode != 0 {
					t.Errorf("run %d of writer %d: %+v, %v, %v", i, w, status, status.Exec, err)
				}
				_ = os.Remove(path) // it is in a folder that goes with the test
			}
		})
	}
	writers.Wait()
	over.Store(true)
	spawners.Wait()
}

// TestProgramThatStaysOpenForWriting is an error in bounded time, and none when it
// is closed in time.
func TestProgramThatStaysOpenForWriting(t *testing.T) {
	requireSandbox(t)
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tool")
	write(t, path, string(program))
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (Status, error) {
		return Run(t.Context(), Config{View: SystemView(), Args: []string{"/tool"}, Binds: []Bind{{Source: path, Target: "/tool"}}})
	}
	if status, err := run(); err != nil || status.Exec == nil || status.Exec.Errno != syscall.ETXTBSY {
		t.Errorf("while it is open: %+v, %v", status, err)
	}
	time.AfterFunc(50*time.Millisecond, func() { writer.Close() })
	if status, err := run(); err != nil || status.Exec != nil || status.ExitCode != 0 {
		t.Errorf("when it is closed: %+v, %v", status, err)
	}
}

// resident is how much memory this process has, in bytes, that no other has.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip("this kernel does not tell:", err)
	}
	total := 0
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); err == nil {
			total += kib << 10
		}
	}
	return total
}

// TestManySandboxesAtOnce: each running sandbox costs its creator a few files and
// little memory, and what it cost comes back.
func TestManySandboxesAtOnce(t *testing.T) {
	requireSandbox(t)
	many := long(200, 2000)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(5*many) {
		t.Skipf("%d open files are allowed, %v", limit.Cur, err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	first := manyAtOnce(t, ctx, 1)
	files, memory := openFiles(t), resident(t)
	runs := manyAtOnce(t, ctx, many)
	perFile, perMemory := float64(openFiles(t)-files)/float64(many), (resident(t)-memory)/many
	t.Logf("%d sandboxes at once: %.2f open files and %d KiB each in their creator", many, perFile, perMemory>>10)
	if perFile > 3 || perMemory > 256<<10 {
		t.Errorf("each costs %.2f open files and %d bytes", perFile, perMemory)
	}
	end()
	for range many + 1 {
		select {
		case err := <-first:
			runs <- err
		case err := <-runs:
			if err != nil {
				t.Error(err)
			}
		}
	}
	eventually(t, "what they had open is closed", func() bool { return openFiles(t) <= files })
}

// manyAtOnce returns when so many sandboxes have their command running. Each
// sends one answer when it has ended.
func manyAtOnce(t *testing.T, ctx context.Context, many int) chan error {
	t.Helper()
	ended := make(chan error, many+1)
	ready, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	defer says.Close()
	view := SystemView()
	for range many {
		go func() {
			status, err := Run(ctx, Config{View: view, Args: []string{"sh", "-c", "echo; exec sleep 1000"}, Stdout: says, Grace: 10 * time.Millisecond})
			if err == nil && !status.Killed {
				err = fmt.Errorf("it ended by itself: %+v", status)
			}
			ended <- err
		}()
	}
	if err := ready.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	letters := make([]byte, many)
	for got := 0; got < many; {
		n, err := ready.Read(letters)
		if err != nil {
			t.Fatal(errors.Join(err, fmt.Errorf("%d of %d are running", got, many)))
		}
		got += n
	}
	return ended
}
