//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestAwaitEnd(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	ended := make(chan bool, 1)
	go func() { ended <- awaitEnd(pid) }()
	select {
	case <-ended:
		t.Error("it did not wait")
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
