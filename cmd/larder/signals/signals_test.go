//go:build linux

package signals

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// helper names the variable that makes the test binary act as a program of a test.
const helper = "SIGNALS_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helper) {
	case "tell":
		tell()
	case "busy":
		busy()
	case "pipe":
		writeToNobody()
	case "children":
		showChild()
	default:
		os.Exit(m.Run())
	}
}

func all() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}
}

// must ends a helper that cannot do its part.
func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
}

// tell says each signal that comes, and ends with its input.
func tell() {
	to := make(chan os.Signal, 8)
	must(Catch(to, all()...))
	fmt.Println("ready")
	go func() {
		for s := range to {
			fmt.Println(int(s.(syscall.Signal)))
		}
	}()
	_, err := io.Copy(io.Discard, os.Stdin)
	must(err)
}

// busy takes signals while the runtime has all to do that it can have: stacks that grow,
// garbage that is collected, goroutines that are interrupted. It ends with its input, and
// says how many signals came.
func busy() {
	to := make(chan os.Signal, 1<<16)
	must(Catch(to, all()...))
	var over atomic.Bool
	for range 2 * runtime.NumCPU() {
		go func() {
			for kept := [][]byte{}; !over.Load(); {
				kept = append(kept, make([]byte, deep(200)))
				if len(kept) > 1000 {
					kept = nil
				}
			}
		}()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	must(err)
	for quiet := 0; quiet < 20; time.Sleep(5 * time.Millisecond) {
		before := len(to)
		runtime.Gosched()
		if quiet++; len(to) != before {
			quiet = 0
		}
	}
	over.Store(true)
	fmt.Println(len(to))
}

// deep needs a larger stack than its caller.
func deep(n int) int {
	var room [128]byte
	if n == 0 {
		return len(room)
	}
	room[n%len(room)] = byte(n)
	return deep(n-1) + int(room[0])*0
}

// writeToNobody writes to a standard output that nobody reads.
func writeToNobody() {
	must(Catch(make(chan os.Signal, 1), all()...))
	for range 100 {
		if _, err := os.Stdout.WriteString("text\n"); errors.Is(err, syscall.EPIPE) {
			os.Exit(7)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// showChild starts a program that says what it ignores and has a handler for.
func showChild() {
	must(Catch(make(chan os.Signal, 1), all()...))
	status, err := exec.Command("cat", "/proc/self/status").Output()
	must(err)
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "Sig") && !strings.HasPrefix(line, "SigQ") { // which counts them
			fmt.Print(line)
		}
	}
}

// started is a helper with its input, and its output line by line.
func started(t *testing.T, argv ...string) (cmd *exec.Cmd, input io.Closer, output *bufio.Reader) {
	t.Helper()
	// What a program catches is customary for those that it starts, also where the tests
	// are run with a hang-up ignored.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	cmd = exec.Command(argv[1], argv[2:]...)
	cmd.Env = append(os.Environ(), helper+"="+argv[0])
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, bufio.NewReader(out)
}

func wantLine(t *testing.T, output *bufio.Reader, want string) {
	t.Helper()
	if line, err := output.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("%q, %v; want %q", line, err, want)
	}
}

func TestEachSignalArrives(t *testing.T) {
	cmd, input, output := started(t, "tell", os.Args[0])
	wantLine(t, output, "ready")
	for range 50 {
		for _, s := range all() {
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			wantLine(t, output, fmt.Sprint(int(s.(syscall.Signal))))
		}
	}
	if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// Whatever the runtime is doing, a signal does it no harm and is not lost. The kernel
// keeps one of a kind at a time, so that many sent at once are fewer.
func TestSignalsAmongAllElse(t *testing.T) {
	cmd, input, output := started(t, "busy", os.Args[0])
	wantLine(t, output, "ready")
	const rounds = 3000
	for i := range rounds {
		if err := cmd.Process.Signal(all()[i%len(all())]); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	var count int
	if _, err := fmt.Fscan(output, &count); err != nil || count < len(all()) || count > rounds {
		t.Errorf("%d signals, %v", count, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// nohup ignores SIGHUP for a program, and a shell SIGINT and SIGQUIT for what a script puts into the
// background.
func TestIgnoredHangUpStaysIgnored(t *testing.T) {
	cmd, input, output := started(t, "tell", "sh", "-c", `trap "" INT HUP QUIT; exec "$0"`, os.Args[0])
	wantLine(t, output, "ready")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if s != syscall.SIGHUP {
			wantLine(t, output, fmt.Sprint(int(s)))
		}
	}
	if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

func TestClosedPipeIsAnError(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), helper+"=pipe"), write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(read.Close(), write.Close()); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Error(cmd.ProcessState)
	}
}

// A program that is started has no handlers, nothing blocked, and at most SIGPIPE ignored.
func TestChildrenBeginAnew(t *testing.T) {
	cmd, input, output := started(t, "children", os.Args[0])
	wantLine(t, output, "SigPnd:\t0000000000000000")
	wantLine(t, output, "SigBlk:\t0000000000000000")
	var ignored, before uint64
	if _, err := fmt.Fscanf(output, "SigIgn:\t%x\n", &ignored); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(status), "SigIgn:")
	if _, err := fmt.Sscanf(own, "%x", &before); err != nil {
		t.Fatal(err)
	}
	if ignored&^before&^(1<<(syscall.SIGPIPE-1)) != 0 {
		t.Errorf("it ignores %x, of which %x was there before", ignored, before)
	}
	wantLine(t, output, "SigCgt:\t0000000000000000")
	if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

func TestWanted(t *testing.T) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGINT)
	given := []os.Signal{syscall.SIGHUP, syscall.SIGINT}
	if got := Wanted(given); !slices.Equal(got, []os.Signal{syscall.SIGINT}) || len(given) != 2 || given[0] != syscall.SIGHUP {
		t.Errorf("%v of %v", got, given)
	}
}
