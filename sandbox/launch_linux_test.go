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
	"unsafe"

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

// listened is a box without a process, and the other end of its connection.
func listened(t *testing.T) (b *box, other int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(pair[0], true); err != nil {
		t.Fatal(err)
	}
	b = &box{conn: os.NewFile(uintptr(pair[0]), "sandbox")}
	t.Cleanup(func() { b.conn.Close() })
	return b, pair[1]
}

// speak sends a record that nothing but its stage tells from others.
func speak(t *testing.T, to int, stage uint32) {
	t.Helper()
	r := record{kind: recordExited, stage: stage}
	if _, err := unix.Write(to, unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))); err != nil {
		t.Error(err)
	}
}

// When the last words and the end come while the kernel looks, it tells of the end first,
// and before the last words of the request that was not read. An empty message reads as
// an end does.
func TestLastWordsAreHeardAfterTheEnd(t *testing.T) {
	for _, isAsked := range []bool{false, true} {
		b, other := listened(t)
		if isAsked {
			b.ask(request{kind: requestSkip})
		}
		if err := unix.Send(other, nil, 0); err != nil {
			t.Fatal(err)
		}
		speak(t, other, 7)
		unix.Close(other)
		if r, ok := b.read(); !ok || r.stage != 7 {
			t.Errorf("asked %v: %+v, %v", isAsked, r, ok)
		}
		if r, ok := b.read(); ok {
			t.Errorf("asked %v: %+v after the end", isAsked, r)
		}
	}
}

// The kernel tells of the end too early in one of some hundred thousand of these.
func TestLastWordsAreHeard(t *testing.T) {
	for i := range long(2000, 500_000) {
		b, other := listened(t)
		go func() {
			for end := time.Now().Add(time.Duration(i%64) * 200 * time.Nanosecond); time.Now().Before(end); {
			}
			speak(t, other, stageCommand)
			unix.Close(other)
		}()
		if r, ok := b.read(); !ok || r.stage != stageCommand {
			t.Fatalf("in round %d: %+v, %v", i, r, ok)
		}
		b.conn.Close()
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
