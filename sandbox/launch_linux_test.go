//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAwaitEnd(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer syscall.Kill(pid, syscall.SIGKILL) // when a check fails
	ended := make(chan bool, 1)
	go func() { ended <- awaitEnd(pid) }()
	select {
	case <-ended:
		t.Fatal("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !<-ended {
		t.Error("it did not see the end")
	}
	if _, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("the child is still there: %v", err)
	}
	if awaitEnd(pid) {
		t.Error("it saw the end of nobody")
	}
}

// resetTimers is a helper that says how late its timers may be, by default.
func resetTimers([]string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0); err != nil {
		return err
	}
	late, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	fmt.Println(late)
	return err
}

// A command has the timers of any program, also when it goes back to what it was given.
func TestTimersAreCustomary(t *testing.T) {
	requireSandbox(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 777_000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, 50_000, 0, 0, 0)
	for _, cfg := range []Config{
		{View: SystemView(), Binds: []Bind{{Source: program, Target: program}}},
		{Isolation: Directory, Dir: t.TempDir()},
	} {
		out := scratch(t)
		cfg.Args, cfg.Env, cfg.Stdout, cfg.Stderr = []string{program}, []string{helperMode + "=timers"}, out, out
		status, err := Run(t.Context(), cfg)
		if text := strings.TrimSpace(content(t, out)); err != nil || status.ExitCode != 0 || text != "50000" {
			t.Errorf("%v: %q, %+v, %v", cfg.Isolation, text, status, err)
		}
	}
}
