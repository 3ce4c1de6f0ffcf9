//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process 1 of a final run stays, with no process beside it, and goes with its creator,
// however that ends.
func TestFinalRunLeavesProcessOneToTheEndOfTheCaller(t *testing.T) {
	requireSandbox(t)
	if !isFirstNamespace() {
		t.Skip("here nobody may wait for what is left")
	}
	for _, end := range []func(*exec.Cmd, io.Closer) error{
		func(_ *exec.Cmd, input io.Closer) error { return input.Close() },
		func(caller *exec.Cmd, _ io.Closer) error { return caller.Process.Kill() },
	} {
		caller := outside(t, "final")
		input, err := caller.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := caller.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := caller.Start(); err != nil {
			t.Fatal(err)
		}
		var one int
		if _, err := fmt.Fscan(out, &one); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(one, 0); err != nil {
			t.Errorf("process 1 is gone before its creator: %v", err)
		}
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", one, one)); err != nil || len(text) > 0 {
			t.Errorf("with process 1 is left: %q, %v", text, err)
		}
		if err := end(caller, input); err != nil {
			t.Fatal(err)
		}
		_ = caller.Wait() // it may have been killed
		eventually(t, "process 1 is gone", func() bool { return syscall.Kill(one, 0) != nil })
	}
}

// finalHelper tells the number of process 1 after a final run, and ends with its input.
func finalHelper([]string) error {
	one := 0
	status, err := Run(context.Background(), Config{
		View: SystemView(), Args: []string{"/bin/sh", "-c", "setsid sleep 60 & true"}, Final: true,
		Began: func(pid int) { one = pid },
	})
	if err != nil || status.ExitCode != 0 {
		return fmt.Errorf("%+v: %w", status, err)
	}
	fmt.Println(one)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Whoever reads what a final run writes hears of its end with the run, also of one that did
// not come to its command.
func TestFinalRunEndsItsOutput(t *testing.T) {
	requireSandbox(t)
	for name, adjust := range map[string]func(*Config){
		"a command":           func(cfg *Config) { cfg.Args = []string{"true"} },
		"none":                func(cfg *Config) { cfg.Args = []string{"/no/such"} },
		"a set-up that fails": func(cfg *Config) { cfg.Args, cfg.Setup = []string{"true"}, []string{"false"} },
		"a tear-down":         func(cfg *Config) { cfg.Args, cfg.Teardown = []string{"false"}, []string{"false"} },
	} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{View: SystemView(), Env: []string{"PATH=/usr/bin:/bin"}, Final: true, Stdout: write, Stderr: write, Log: write}
		one := 0
		cfg.Began = func(pid int) { one = pid }
		adjust(&cfg)
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(write.Close(), read.SetReadDeadline(time.Now().Add(10*time.Second))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(read); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		read.Close()
		endFinal(one)
	}
}

// endFinal ends a process 1 that a final run has left, or has not.
func endFinal(one int) {
	if _, err := syscall.Wait4(one, nil, syscall.WNOHANG, nil); err == nil {
		_ = syscall.Kill(one, syscall.SIGKILL)
		_, _ = syscall.Wait4(one, nil, 0, nil)
	}
}

// A final run that is ended ends then, and not with the grace that those have who do not
// listen: process 1 does not stay for a caller who waits for it.
func TestFinalRunThatIsEnded(t *testing.T) {
	requireSandbox(t)
	struck := make(chan Limit, 1)
	struck <- LimitOutput
	for name, adjust := range map[string]func(*Config){
		"by its time":                 func(cfg *Config) { cfg.Timeout = 50 * time.Millisecond },
		"by its time, a tear-down":    func(cfg *Config) { cfg.Timeout, cfg.Teardown = 50*time.Millisecond, []string{"true"} },
		"by a limit":                  func(cfg *Config) { cfg.Exceeded = struck },
		"by the caller":               func(*Config) {},
		"by the caller, a tear-down":  func(cfg *Config) { cfg.Teardown = []string{"true"} },
		"by the caller in the set-up": func(cfg *Config) { cfg.Setup = []string{"sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait"} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if strings.HasPrefix(name, "by the caller") {
				defer time.AfterFunc(100*time.Millisecond, cancel).Stop()
			}
			began := time.Now()
			r := start(t, ctx, func(cfg *Config) {
				cfg.Args, cfg.Final, cfg.Grace = []string{"sleep", "60"}, true, time.Minute
				adjust(cfg)
			})
			if took := time.Since(began); took > bounded || r.err != nil || !r.TimedOut && !r.Killed && len(r.Struck) == 0 {
				t.Errorf("after %v: %+v, %v", took, r.Status, r.err)
			}
		})
	}
}

// Nor does it stay when what it is asked for comes after its last word, which the creator
// has not heard yet.
func TestFinalRunThatIsEndedAfterItsEnd(t *testing.T) {
	requireSandbox(t)
	cfg := Config{View: SystemView(), Args: []string{"/bin/true"}, Final: true}
	a, err := begin(&cfg, cfg.view, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := a.end(); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(a.plans(&cfg), a.box.order(&cfg, nil)); err != nil {
		t.Fatal(err)
	}
	if r, ok := a.box.readWithin(bounded); !ok || r.kind != recordExited || r.stage != stageCommand {
		t.Fatalf("the last word is %+v, %v", r, ok)
	}
	a.box.ask(request{requestSignal, uint32(syscall.SIGTERM)})
	if err := a.box.conn.SetReadDeadline(time.Now().Add(bounded)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.box.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("process 1 is there after %v: %v", bounded, err)
	}
}

// In a container the first process may wait for nobody, so nothing is left to it.
func TestFinalRunInAContainer(t *testing.T) {
	requireSandbox(t)
	contained := outside(t, "contained")
	contained.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := contained.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "childless" {
		t.Errorf("%v: %s", err, out)
	}
}

// containedHelper makes a final run, and says whether it has children then.
func containedHelper([]string) error {
	if isFirstNamespace() {
		return errors.New("this is the first namespace")
	}
	status, err := Run(context.Background(), Config{View: SystemView(), Args: []string{"true"}, Final: true})
	if err != nil || status.ExitCode != 0 {
		return fmt.Errorf("%+v: %w", status, err)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		return fmt.Errorf("there are children: %w", err)
	}
	fmt.Println("childless")
	return nil
}

// A run that is final is as any other in a pool, whose sandboxes are many.
func TestFinalMeansNothingInAPool(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	for range 3 {
		fromPool(t, p, "true", func(cfg *Config) { cfg.Final = true }).want(t, 0, "")
	}
	p.Close()
	childless(t)
}
