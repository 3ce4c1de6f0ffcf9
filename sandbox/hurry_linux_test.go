//go:build amd64 || arm64

package sandbox

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// allowedOn gives the processors that a process may run on.
func allowedOn(t *testing.T, pid int) unix.CPUSet {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// A process 1 that is hurried runs soon, and wherever its creator may.
func TestHurriedProcessOneMayRunAnywhere(t *testing.T) {
	requireSandbox(t)
	a, err := Start(Config{}, SystemView)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.plan.memory.begun = 0 // process 1 does not look at it again
	a.box.hurry(a.plan)
	if got, want := allowedOn(t, a.box.pid), allowedOn(t, 0); got != want {
		t.Errorf("process 1 may run on %v, not on %v", got, want)
	}
	status, err := a.Run(t.Context(), Config{Args: []string{"true"}})
	if err != nil || status.ExitCode != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}

// With one processor there is no other.
func TestHurryOnOneProcessor(t *testing.T) {
	requireSandbox(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all := allowedOn(t, 0)
	var one unix.CPUSet
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	a, err := Start(Config{}, SystemView)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got := allowedOn(t, a.box.pid); got != one {
		t.Errorf("process 1 may run on %v, not on %v", got, one)
	}
	begun := &a.plan.memory.begun // the memory is given back when the run is over
	for end := time.Now().Add(20 * time.Second); atomic.LoadInt32(begun) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("process 1 has not begun")
		}
	}
	status, err := a.Run(t.Context(), Config{Args: []string{"true"}})
	if err != nil || status.ExitCode != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}
