//go:build amd64 || arm64

package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestDeathOfTheCallerEndsTheSandbox(t *testing.T) {
	requireSandbox(t)
	mark := fmt.Sprintf("8888.%d%d", os.Getpid(), time.Now().UnixNano())
	cmd := outside(t, "supervise", "(setsid sleep "+mark+" &); echo ready; exec sleep "+mark, "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	if len(marked(t, mark)) < 3 {
		t.Errorf("running: %v", marked(t, mark))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "every process is gone", func() bool { return len(marked(t, mark)) == 0 })
}

func TestMountsStayInsideAndAreGone(t *testing.T) {
	requireOverlay(t)
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	o := overlay(t, nil)
	shell(t, "grep -c overlay /proc/self/mountinfo", func(cfg *Config) { cfg.Overlays = []Overlay{o} }).want(t, 0, "1")
	after, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || string(before) != string(after) {
		t.Errorf("mounts changed: %v\n%s\n%s", err, before, after)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestManyRunsLeaveNothingOpen(t *testing.T) {
	requireSandbox(t)
	runs := 500
	if testing.Short() {
		runs = 100
	}
	cfg := Config{View: SystemView(), Args: []string{"true"}}
	before := 0
	for i := range runs {
		if status, err := Run(context.Background(), cfg); err != nil || status.ExitCode != 0 {
			t.Fatal(i, status, err)
		}
		if i == 0 {
			before = openFiles(t)
		}
	}
	// Process 1 is waited for on the side, by a descriptor.
	eventually(t, fmt.Sprintf("as many files are open as after one run, %d", before), func() bool { return openFiles(t) <= before })
	// Process 1 of a run that ended well is reaped on the side.
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.ECHILD {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a child is left: %d, %v", pid, err)
		}
	}
}

func TestFailedRunsLeaveNothingOpen(t *testing.T) {
	requireSandbox(t)
	before := 0
	for i := range 20 {
		if _, err := Run(context.Background(), Config{Args: []string{"true"}, Dir: "/no/such"}); err == nil {
			t.Fatal("a missing directory was entered")
		}
		if i == 0 {
			before = openFiles(t)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files open at first, %d at last", before, after)
	}
}

func TestConcurrentRuns(t *testing.T) {
	requireSandbox(t)
	view := SystemView()
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			status, err := Run(context.Background(), Config{View: view, Args: []string{"sh", "-c", fmt.Sprintf("exit %d", i%100)}})
			if err != nil || status.ExitCode != i%100 {
				t.Errorf("run %d: %+v, %v", i, status, err)
			}
		})
	}
	group.Wait()
}

func TestNothingOfTheCallerIsOpenInside(t *testing.T) {
	requireSandbox(t)
	// This one is inheritable, unlike all that the os package opens.
	fd, err := syscall.Open("/", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	r := shell(t, "ls -l /proc/self/fd")
	if r.err != nil || strings.Count(r.out, "->") != 4 || strings.Contains(r.out, "-> /\n") {
		t.Errorf("%v\n%s", r.err, r.out)
	}
}

func TestProbe(t *testing.T) {
	requireSandbox(t)
	c := Probe()
	if c.Kernel == "" || !c.Seccomp || !c.MountAPI {
		t.Errorf("got %+v", c)
	}
	dir := t.TempDir()
	if err := OverlayWorks(dir); err != nil {
		closedGate(t, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := OverlayWorks("/proc"); err == nil {
		t.Error("an overlay on /proc works")
	}
}

// processOneOf finds process 1 of the one sandbox in which this process has
// something running. Those of earlier runs may still be on their way out.
func processOneOf(t *testing.T) int {
	t.Helper()
	found := 0
	eventually(t, "process 1 has its name", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			more, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children") // a thread may have ended
			text = append(text, more...)
		}
		for _, child := range strings.Fields(string(text)) {
			below, _ := os.ReadFile("/proc/" + child + "/task/" + child + "/children")
			if name, err := os.ReadFile("/proc/" + child + "/comm"); err == nil && string(name) == "larder-init\n" && len(below) > 0 {
				_, err := fmt.Sscan(child, &found)
				return err == nil
			}
		}
		return false
	})
	return found
}

func TestDeathOfProcessOneIsReported(t *testing.T) {
	requireSandbox(t)
	done := make(chan result)
	go func() { done <- shell(t, "sleep 1000") }()
	if err := syscall.Kill(processOneOf(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !errors.Is(r.err, ErrLost) {
		t.Errorf("got %+v, %v", r.Status, r.err)
	}
}

func TestCancellationEndsEvenAProcessOneThatHangs(t *testing.T) {
	requireSandbox(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan result)
	go func() {
		done <- start(t, ctx, func(cfg *Config) { cfg.Args, cfg.Grace = []string{"sleep", "1000"}, 50*time.Millisecond })
	}()
	if err := syscall.Kill(processOneOf(t), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	if r := <-done; !r.Killed || r.err != nil {
		t.Errorf("got %+v, %v", r.Status, r.err)
	}
}

// Who reads the output of a command need not wait for the tear-down, nor for process 1.
func TestOutputEndsWithTheCommand(t *testing.T) {
	requireSandbox(t)
	for _, isolation := range []Isolation{Namespaces, Directory} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		cfg := Config{
			Isolation: isolation, Args: []string{"sh", "-c", "echo text; echo more >&2"}, Env: []string{"PATH=/usr/bin:/bin"},
			Teardown: []string{"sh", "-c", "until [ -e seen ]; do sleep 0.01; done"},
			Stdout:   write, Stderr: write, Began: func(int) { write.Close() },
		}
		if isolation == Directory {
			cfg.Dir = folder
		} else {
			cfg.View, cfg.Binds = SystemView(), []Bind{{Source: folder, Target: WorkDir}}
		}
		ended := make(chan Status, 1)
		go func() {
			status, err := Run(t.Context(), cfg)
			if err != nil {
				t.Error(err)
			}
			ended <- status
		}()
		if text, err := io.ReadAll(read); err != nil || string(text) != "text\nmore\n" || len(ended) > 0 {
			t.Errorf("isolation %d: read %q, %v; runs that have ended: %d", isolation, text, err, len(ended))
		}
		if err := os.WriteFile(filepath.Join(folder, "seen"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if status := <-ended; status.ExitCode != 0 || status.Teardown == nil || !status.Teardown.OK() {
			t.Errorf("isolation %d: %+v", isolation, status)
		}
	}
}
