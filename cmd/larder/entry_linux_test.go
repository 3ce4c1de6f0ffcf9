//go:build amd64 || arm64

package main

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slackOf reads how late the timers of a thread may be. The kernel tells nobody but
// the thread itself and who may set the priority of others.
func slackOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", pid))
	if err != nil {
		t.Skipf("only root sees the timers of others: %v", err)
	}
	return strings.TrimSpace(string(text))
}

// slackOfLarder starts larder, waits until its runtime has begun, and ends it.
func slackOfLarder(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"))
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer input.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if len(threads) > 1 {
			return slackOf(t, cmd.Process.Pid)
		}
		if time.Now().After(end) {
			t.Fatal("the runtime has not begun")
		}
	}
}

func TestARunHasCoarseTimers(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--results", "off", "--", "cat"}, "1000000"},
		{[]string{"worker"}, "50000"},
		{[]string{"--store", t.TempDir(), "run", "--results", "off", "--", "cat"}, "50000"}, // which is no loss but of time
	} {
		if got := slackOfLarder(t, larder, c.args...); got != c.want {
			t.Errorf("larder %v: timers may be %s ns late, want %s", c.args, got, c.want)
		}
	}
}

// What runs in the sandbox has the timers that every program has.
func TestACommandHasCustomaryTimers(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for _, sandbox := range []string{"namespaces", "directory"} {
		cmd := exec.Command(larder, "run", "--results", "off", "--", "cat", "/proc/self/timerslack_ns")
		cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"), "LARDER_SANDBOX="+sandbox)
		out, err := cmd.Output()
		if err != nil || string(out) != "50000\n" {
			t.Errorf("in a sandbox of the kind %s: %q, %v", sandbox, out, err)
		}
	}
}

// processors gives what the runtime says of their number in the course of a run, by
// its own trace.
func processors(t *testing.T, larder string, environment []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(larder, append([]string{"run", "--results", "off"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "GOMAXPROCS=") })
	cmd.Env = append(cmd.Env, "LARDER_STORE="+filepath.Join(t.TempDir(), "store"), "GODEBUG=schedtrace=1")
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var said []string
	for _, found := range regexp.MustCompile(`gomaxprocs=(\d+)`).FindAllStringSubmatch(string(out), -1) {
		said = append(said, found[1])
	}
	if len(said) < 2 {
		t.Fatalf("the runtime says too little:\n%s", out)
	}
	return slices.Compact(said)
}

func TestARunBeginsOnOneProcessor(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	if runtime.GOMAXPROCS(0) != runtime.NumCPU() {
		t.Skip("the runtime has fewer processors than there are")
	}
	all := []string{"1", strconv.Itoa(runtime.NumCPU())}
	for name, c := range map[string]struct {
		environment, args, want []string
	}{
		"and gets all when it takes longer":            {nil, []string{"--", "sleep", "0.1"}, all},
		"and gets all when there is much to look at":   {nil, []string{"-i", ".", "--", "sleep", "0.1"}, all},
		"unless the user has said how many":            {[]string{"GOMAXPROCS=3"}, []string{"--", "sleep", "0.1"}, []string{"3"}},
		"and stays on it when the user has said so":    {[]string{"GOMAXPROCS=1"}, []string{"--", "sleep", "0.1"}, []string{"1"}},
		"and larder does not change what others count": {[]string{"GOMAXPROCS=2"}, []string{"-e", "GOMAXPROCS", "--", "sh", "-c", "sleep 0.1; test $GOMAXPROCS = 2"}, []string{"2"}},
		"of which nobody hears":                        {nil, []string{"-e", "GOMAXPROCS", "--", "sh", "-c", "sleep 0.1; test -z \"$GOMAXPROCS\""}, all},
	} {
		if got := processors(t, larder, c.environment, c.args...); !slices.Equal(got, slices.Compact(c.want)) {
			t.Errorf("a run begins on one processor %s: got %v, want %v", name, got, c.want)
		}
	}
}

// allowed reads on which processors the threads of a process may run; an action's
// command says it of itself.
func allowed(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %d files", pattern, err, len(files))
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "Cpus_allowed:\t")
		line, _, _ := strings.Cut(rest, "\n")
		found = append(found, line)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// startOn starts a program on a set of processors, which it gives as the kernel writes it.
func startOn(t *testing.T, cmd *exec.Cmd, set *unix.CPUSet) (written []string) {
	t.Helper()
	var before unix.CPUSet
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := errors.Join(unix.SchedGetaffinity(0, &before), unix.SchedSetaffinity(0, set)); err != nil {
		t.Fatal(err)
	}
	written = allowed(t, fmt.Sprintf("/proc/self/task/%d/status", unix.Gettid()))
	err := cmd.Start()
	if err := errors.Join(err, unix.SchedSetaffinity(0, &before)); err != nil {
		t.Fatal(err)
	}
	return written
}

// However a run begins, its threads and what runs in the sandbox have the processors
// that larder was given.
func TestARunHasItsProcessors(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	var all, last unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for i := range 1024 {
		if all.IsSet(i) {
			last = unix.CPUSet{}
			last.Set(i)
		}
	}
	for _, set := range []*unix.CPUSet{&all, &last} {
		for _, sandbox := range []string{"namespaces", "directory"} {
			cmd := exec.Command(larder, "run", "--results", "off", "--", "sh", "-c", "grep Cpus_allowed: /proc/self/status; cat")
			cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"), "LARDER_SANDBOX="+sandbox)
			input, inputErr := cmd.StdinPipe()
			output, outputErr := cmd.StdoutPipe()
			if err := errors.Join(inputErr, outputErr); err != nil {
				t.Fatal(err)
			}
			want := startOn(t, cmd, set)
			line, err := bufio.NewReader(output).ReadString('\n')
			if got := strings.Fields(line); err != nil || len(got) != 2 || got[1] != want[0] {
				t.Errorf("%d processors, %s: the command has %q (%v), want %v", set.Count(), sandbox, line, err, want)
			}
			if got := allowed(t, fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid)); !slices.Equal(got, want) {
				t.Errorf("%d processors, %s: the threads of larder have %v, want %v", set.Count(), sandbox, got, want)
			}
			if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
				t.Error(err)
			}
		}
	}
}

// Where threads cannot be listed, none is kept on a processor.
func TestARunWithoutProcKeepsItsProcessors(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may hide /proc")
	}
	larder := buildLarder(t)
	want, err := exec.Command("nproc").Output()
	if err != nil {
		t.Fatal(err)
	}
	script := "mount -t tmpfs none /proc && exec \"$0\" run --results off --sandbox directory -- nproc"
	cmd := exec.Command("unshare", "--mount", "sh", "-c", script, larder)
	cmd.Env = append(os.Environ(), "LARDER_STORE="+filepath.Join(t.TempDir(), "store"))
	if out, err := cmd.Output(); err != nil || !bytes.Equal(out, want) {
		t.Errorf("%q processors, %v; want %s", out, err, want)
	}
}

// The program begins where the Makefile says, and any line of arguments gets past it.
func TestEntry(t *testing.T) {
	larder := buildLarder(t)
	file, err := elf.Open(larder)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var at uint64
	for _, symbol := range symbols {
		if strings.TrimSuffix(symbol.Name, ".abi0") == "main.entry" && symbol.Value == file.Entry {
			at = symbol.Value
		}
	}
	if at == 0 {
		t.Errorf("larder begins at %#x, which is not its entry", file.Entry)
	}
	for _, args := range [][]string{{}, {""}, {"r"}, {"ru"}, {"version"}, {"run", "--help"}, {"run", ""}} {
		cmd := &exec.Cmd{Path: larder, Args: append([]string{"larder"}, args...), Env: []string{"HOME=" + t.TempDir()}}
		if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() < 0 {
			t.Errorf("larder %q: %v\n%s", args, err, out)
		}
	}
	rule, err := exec.Command("make", "-C", "../..", "-n", "-B", "bin/larder").CombinedOutput()
	if err != nil || !strings.Contains(string(rule), entryOption()) || entryOption() == "" {
		t.Errorf("make does not build it so: %v\n%s", err, rule)
	}
}
