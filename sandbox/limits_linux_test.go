//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/sandbox/cgroup"
)

// requireGroups skips where this user can have no control group for a kind.
func requireGroups(t *testing.T, limit Limit) {
	t.Helper()
	requireSandbox(t)
	memory, processes, cpuTime := cgroup.Survey()
	version := map[Limit]cgroup.Version{LimitMemory: memory, LimitProcesses: processes, LimitCPUTime: cpuTime}[limit]
	if version == cgroup.None {
		t.Skipf("this user can have no control group for %s here", limit)
	}
}

// bounded is how long a run that breaks a limit may take to end.
const bounded = 20 * time.Second

// breakLimit runs a shell command that goes over one limit.
func breakLimit(t *testing.T, limit Limit, script string, change func(*Config)) result {
	t.Helper()
	requireGroups(t, limit)
	start := time.Now()
	r := shell(t, script, change)
	if r.err != nil || !slices.Equal(r.Struck, []Limit{limit}) {
		t.Errorf("struck %v, want %s; %+v, %v", r.Struck, limit, r.Status, r.err)
	}
	noGroups(t)
	if took := time.Since(start); took > bounded {
		t.Errorf("it took %v", took)
	}
	return r
}

// noGroups fails the test when this process has left a control group.
func noGroups(t *testing.T) {
	t.Helper()
	if left, err := exec.Command("find", "/sys/fs/cgroup", "-name", fmt.Sprintf("larder-%d-*", os.Getpid())).Output(); err == nil && len(left) > 0 {
		t.Errorf("control groups were left:\n%s", left)
	}
}

const (
	memoryBomb = `x=0123456789abcdef; while :; do x=$x$x; done`
	forkBomb   = `bomb() { bomb | bomb & }; bomb; sleep 100`
)

func TestMemoryBomb(t *testing.T) {
	r := breakLimit(t, LimitMemory, "echo before; "+memoryBomb, func(cfg *Config) { cfg.Limits.Memory = 32 << 20 })
	if r.Signal != syscall.SIGKILL || r.out != "before\n" {
		t.Errorf("ended by %v, printed %q", r.Signal, r.out)
	}
}

func TestMemoryOfAllProcessesTogether(t *testing.T) {
	breakLimit(t, LimitMemory, `for i in 1 2 3 4 5 6; do (x=$(head -c 8M /dev/zero | tr "\\0" x); sleep 100; :) & done; wait`,
		func(cfg *Config) { cfg.Limits.Memory = 48 << 20 })
}

func TestMemoryFileSystemsCount(t *testing.T) {
	breakLimit(t, LimitMemory, `head -c 64M /dev/zero >/dev/shm/x`, func(cfg *Config) { cfg.Limits.Memory = 32 << 20 })
}

func TestForkBomb(t *testing.T) {
	breakLimit(t, LimitProcesses, forkBomb, func(cfg *Config) { cfg.Limits.Processes = 50 })
}

func TestProcessorTimeOfManyProcesses(t *testing.T) {
	breakLimit(t, LimitCPUTime, `for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait`, func(cfg *Config) { cfg.Limits.CPUTime = 300 * time.Millisecond })
}

func TestProcessorTimeOfDaemons(t *testing.T) {
	breakLimit(t, LimitCPUTime, `for i in 1 2; do setsid sh -c 'while :; do :; done' & done; sleep 100`, func(cfg *Config) { cfg.Limits.CPUTime = 300 * time.Millisecond })
}

// What is out of memory before it is another program takes nobody along who
// shares memory with it, such as this process.
func TestSoLittleMemoryThatHardlyAnythingStarts(t *testing.T) {
	for _, most := range []uint64{4 << 10, 64 << 10, 256 << 10, 1 << 20} {
		breakLimit(t, LimitMemory, memoryBomb, func(cfg *Config) { cfg.Limits.Memory = most })
	}
}

func TestSetupOverALimitLeavesTheCommandOut(t *testing.T) {
	r := breakLimit(t, LimitMemory, "echo never", func(cfg *Config) {
		cfg.Limits.Memory = 32 << 20
		cfg.Setup, cfg.Teardown = []string{"sh", "-c", memoryBomb}, []string{"echo", "torn down"}
	})
	if r.out != "" || r.log != "torn down\n" || r.Setup == nil || r.Setup.Signal != syscall.SIGKILL {
		t.Errorf("printed %q, log %q, set-up %+v", r.out, r.log, r.Setup)
	}
}

func TestTeardownFollowsALimit(t *testing.T) {
	for limit, c := range map[Limit]struct {
		script string
		limits Limits
	}{
		LimitMemory:    {memoryBomb, Limits{Memory: 32 << 20}},
		LimitProcesses: {forkBomb, Limits{Processes: 30}},
		LimitCPUTime:   {`while :; do :; done`, Limits{CPUTime: 300 * time.Millisecond}},
	} {
		t.Run(string(limit), func(t *testing.T) {
			r := breakLimit(t, limit, c.script, func(cfg *Config) {
				cfg.Limits, cfg.Teardown = c.limits, []string{"sh", "-c", "echo one; true; echo two | cat"}
			})
			if r.log != "one\ntwo\n" || r.Teardown == nil || !r.Teardown.OK() {
				t.Errorf("log %q, tear-down %+v", r.log, r.Teardown)
			}
		})
	}
}

func TestALimitOfTheCallerEndsTheCommand(t *testing.T) {
	requireSandbox(t)
	exceeded := make(chan Limit, 1)
	exceeded <- LimitOutput
	r := shell(t, "trap '' TERM; setsid sleep 1000 & while :; do sleep 1; done", func(cfg *Config) { cfg.Exceeded = exceeded })
	if r.err != nil || r.Signal != syscall.SIGKILL || !slices.Equal(r.Struck, []Limit{LimitOutput}) {
		t.Errorf("got %+v, %v", r.Status, r.err)
	}
}

func TestCommandsWithinTheirLimits(t *testing.T) {
	requireSandbox(t)
	for range 5 {
		r := shell(t, "sh -c 'echo one | cat'; cat /proc/self/status | grep Seccomp:", func(cfg *Config) {
			cfg.Limits = Limits{Memory: 256 << 20, Processes: 100, CPUTime: time.Minute, FileSize: 1 << 20}
		})
		r.want(t, 0, "one\nSeccomp:\t2")
		if r.Struck != nil {
			t.Errorf("struck: %v", r.Struck)
		}
	}
	noGroups(t)
}

// The filter lies elsewhere for commands that are cloned into a group.
func TestSystemCallsAreFilteredUnderLimits(t *testing.T) {
	requireSandbox(t)
	r := shell(t, "unshare -r true", func(cfg *Config) { cfg.Limits = Limits{CPUTime: time.Minute} })
	if r.err != nil || r.ExitCode == 0 || !strings.Contains(r.out, "not permitted") {
		t.Errorf("got %+v, %q", r.Status, r.out)
	}
}

func TestWithoutControlGroups(t *testing.T) {
	requireSandbox(t)
	if len(Probe().Groups) > 0 {
		t.Skip("there are some")
	}
	limited := func(cfg *Config) {
		cfg.Limits = Limits{Memory: 64 << 20, Processes: 30, CPUTime: time.Second}
	}
	r := shell(t, "ulimit -d; ulimit -p", limited)
	r.want(t, 0, "65536\n31")
	if want := []Limit{LimitMemory, LimitProcesses, LimitCPUTime}; !slices.Equal(r.Loose, want) {
		t.Errorf("loose: %v", r.Loose)
	}
	if r := shell(t, memoryBomb, limited); r.ExitCode == 0 || r.err != nil || r.Struck != nil {
		t.Errorf("memory: %+v, %v", r.Status, r.err)
	}
	if r := shell(t, `bomb() { bomb | bomb & }; bomb`, limited); r.err != nil {
		t.Errorf("processes: %+v, %v", r.Status, r.err)
	}
	if r := shell(t, "while :; do :; done", limited); r.err != nil || !slices.Equal(r.Struck, []Limit{LimitCPUTime}) {
		t.Errorf("processor time: %+v, %v", r.Status, r.err)
	}
}

func TestGroupsThatAreMadeAhead(t *testing.T) {
	requireGroups(t, LimitCPUTime)
	ahead := func() *Ahead {
		a, err := Start(Config{Limits: Limits{CPUTime: time.Minute}}, SystemView)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	busy := Config{Args: []string{"sh", "-c", "while :; do :; done"}, Limits: Limits{CPUTime: 100 * time.Millisecond}}
	status, err := ahead().Run(t.Context(), busy)
	if err != nil || !slices.Equal(status.Struck, []Limit{LimitCPUTime}) {
		t.Errorf("with another limit: %+v, %v", status, err)
	}
	if status, err := ahead().Run(t.Context(), Config{Args: []string{"true"}}); err != nil || status.ExitCode != 0 {
		t.Errorf("without a limit: %+v, %v", status, err)
	}
	if _, err := ahead().Run(t.Context(), Config{}); err == nil {
		t.Error("a run without a command")
	}
	ahead().Close()
	noGroups(t)
}
