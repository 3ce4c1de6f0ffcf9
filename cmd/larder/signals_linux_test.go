package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// larderWith is a larder that uses a store of its own, and its output line by line.
func larderWith(t *testing.T, argv ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	catchHangUp(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	return cmd, bufio.NewReader(out)
}

// catchHangUp has what is started not begin with SIGHUP ignored, whoever runs the tests: what
// a program catches is customary again for those that it starts.
func catchHangUp(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
}

// wantLine takes the next line.
func wantLine(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	if line, err := out.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("%q, %v, want %q", line, err, want)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	needSandbox(t)
	script := `for s in INT TERM HUP QUIT USR1 USR2; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.01; done`
	larder := buildLarder(t)
	for signal, word := range map[syscall.Signal]string{
		syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT", syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2",
	} {
		cmd, out := larderWith(t, larder, "run", "--results", "off", "--", "sh", "-c", script)
		check(t, cmd.Start())
		wantLine(t, out, "ready")
		check(t, cmd.Process.Signal(syscall.SIGUSR1))
		wantLine(t, out, "USR1")
		check(t, cmd.Process.Signal(signal))
		wantLine(t, out, word)
		check(t, cmd.Process.Kill())
		if err := cmd.Wait(); err == nil {
			t.Errorf("it ended by itself after %v", signal)
		}
	}
}

// Who presses Ctrl-C a second time does not want to wait. The tear-down has its turn all the same.
func TestASecondCtrlCOfARun(t *testing.T) {
	needSandbox(t)
	cmd, out := larderWith(t, buildLarder(t), "run", "--results", "off", "--teardown", "exit 3", "--", "sh", "-c", `trap "echo INT" INT; echo ready; while :; do sleep 0.01; done`)
	var said strings.Builder
	cmd.Stderr = &said
	check(t, cmd.Start())
	wantLine(t, out, "ready")
	check(t, cmd.Process.Signal(syscall.SIGINT))
	wantLine(t, out, "INT")
	time.Sleep(sameOne)
	began := time.Now()
	check(t, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait() // its state says how
	if took := time.Since(began); cmd.ProcessState.ExitCode() != 137 || took > grace/2 || !strings.Contains(said.String(), "tear-down") {
		t.Errorf("%v after %v: %s", cmd.ProcessState, took, said.String())
	}
}

// A signal in the first moments is not lost, whatever larder is doing then.
func TestSignalsOfTheFirstMoments(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for i := range 40 {
		cmd, _ := larderWith(t, larder, "run", "--results", "off", "--", "sleep", "60")
		check(t, cmd.Start())
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		check(t, cmd.Process.Signal(syscall.SIGTERM))
		began := time.Now()
		if err := cmd.Wait(); err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("after %d00 microseconds: %v, %v", 2*i, err, time.Since(began))
		}
	}
}

// Before there is a command to pass a signal on to, it ends larder.
func TestSignalsBeforeThereIsACommand(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		pipe := filepath.Join(t.TempDir(), "spec")
		check(t, unix.Mkfifo(pipe, 0o600))
		cmd, _ := larderWith(t, larder, "run", "--results", "off", "--spec", pipe)
		check(t, cmd.Start())
		writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // larder waits for what comes
		check(t, err)
		check(t, cmd.Process.Signal(syscall.SIGUSR1))
		check(t, cmd.Process.Signal(signal))
		_ = cmd.Wait() // its state says how
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != signal {
			t.Errorf("after %v it ended so: %v", signal, cmd.ProcessState)
		}
		check(t, writer.Close())
	}
}

// A hang-up that larder was started to ignore it ignores, as under nohup; an interrupt it does not.
func TestIgnoredHangUpStaysIgnored(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	cmd, out := larderWith(t, "sh", "-c", `trap "" INT HUP; exec "$0" run --results off -- sh -c 'trap "echo INT" INT; trap "echo HUP" HUP; trap "echo TERM; exit 5" TERM; echo ready; while :; do sleep 0.01; done'`, larder)
	check(t, cmd.Start())
	wantLine(t, out, "ready")
	check(t, cmd.Process.Signal(syscall.SIGHUP))
	check(t, cmd.Process.Signal(syscall.SIGINT))
	wantLine(t, out, "INT")
	check(t, cmd.Process.Signal(syscall.SIGTERM))
	wantLine(t, out, "TERM")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Error(cmd.ProcessState)
	}
}

// The command begins with no signal blocked or ignored, and a reader that has gone away
// does not end larder.
func TestACommandHasCustomarySignals(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for _, sandbox := range []string{"namespaces", "directory"} {
		cmd, out := larderWith(t, larder, "run", "--results", "off", "--sandbox", sandbox, "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
		check(t, cmd.Start())
		wantLine(t, out, "SigBlk:\t0000000000000000")
		wantLine(t, out, "SigIgn:\t0000000000000000")
		check(t, cmd.Wait())
	}
	done := filepath.Join(t.TempDir(), "done")
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`{ %s run --results off --json %s -- sh -c 'seq 100000; exit 0'; echo $? >&3; } | head -n 1 >/dev/null`, larder, done))
	cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"))
	read, write, err := os.Pipe()
	check(t, err)
	cmd.ExtraFiles = []*os.File{write}
	check(t, cmd.Run())
	check(t, write.Close())
	var code int
	if _, err := fmt.Fscan(read, &code); err != nil || code >= 128 {
		t.Errorf("larder ended with %d, %v", code, err)
	}
	if _, err := os.Stat(done); err != nil {
		t.Errorf("larder did not come to its record: %v", err)
	}
}
