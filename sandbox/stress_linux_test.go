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
	// Alone it is below 256 KiB; the race detector has its own idea of memory.
	if perFile > 3 || perMemory > 1<<20 {
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
	var all sync.WaitGroup
	view := SystemView()
	for range many {
		all.Go(func() {
			status, err := Run(ctx, Config{View: view, Args: []string{"sh", "-c", "echo; exec sleep 1000"}, Stdout: says, Grace: 10 * time.Millisecond})
			if err == nil && !status.Killed {
				err = fmt.Errorf("it ended by itself: %+v", status)
			}
			ended <- err
		})
	}
	go func() {
		all.Wait()
		says.Close()
	}()
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

// TestMemoryOfTheCallerStaysWhole: process 1 shares it, so while sandboxes of all
// outcomes begin and end, others allocate, the collector runs, and signals come.
func TestMemoryOfTheCallerStaysWhole(t *testing.T) {
	requireSandbox(t)
	var over atomic.Bool
	var beside, runs sync.WaitGroup
	for range 2 {
		beside.Go(func() { churn(t, &over) })
	}
	view, outcomes := SystemView(), []func(*Config, context.CancelFunc){
		func(cfg *Config, cancel context.CancelFunc) { time.AfterFunc(4*time.Millisecond, cancel) },
		func(cfg *Config, _ context.CancelFunc) { cfg.Args = []string{"/nowhere"} },
		func(cfg *Config, _ context.CancelFunc) {
			cfg.Overlays = []Overlay{{Target: WorkDir, Lowers: []string{"/nowhere"}}}
		},
		func(cfg *Config, _ context.CancelFunc) {
			cfg.Setup, cfg.Teardown = []string{"false"}, []string{"true"}
		},
		func(cfg *Config, _ context.CancelFunc) { cfg.Timeout = time.Millisecond },
		func(cfg *Config, _ context.CancelFunc) { cfg.Limits.Memory = 1 << 30 },
	}
	for first := range 4 {
		runs.Go(func() {
			for i := range long(40, 1000) {
				ctx, cancel := context.WithCancel(t.Context())
				cfg := Config{View: view, Args: []string{"sh", "-c", "exit 3"}, Grace: 20 * time.Millisecond}
				outcomes[(first+i)%len(outcomes)](&cfg, cancel)
				if status, err := Run(ctx, cfg); status.Stuck || errors.Is(err, ErrLost) {
					t.Errorf("run %d: %+v, %v", i, status, err)
				}
				cancel()
			}
		})
	}
	runs.Wait()
	over.Store(true)
	beside.Wait()
}

// churn makes lists of maps and garbage, interrupts itself, and looks whether the
// lists stay as they were made.
func churn(t *testing.T, over *atomic.Bool) {
	type node struct {
		next  *node
		names map[int]string
	}
	for !over.Load() {
		var list *node
		for i := range 500 {
			list = &node{list, map[int]string{i: strings.Repeat("x", i)}}
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGURG) // as the scheduler does; this process is there
		for i := 499; list != nil; i, list = i-1, list.next {
			if len(list.names[i]) != i {
				t.Errorf("node %d has %v", i, list.names)
				return
			}
		}
	}
}
