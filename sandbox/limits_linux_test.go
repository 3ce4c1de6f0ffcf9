//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
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

const memoryBomb = `x=0123456789abcdef; while :; do x=$x$x; done`

func TestMemoryBomb(t *testing.T) {
	r := breakLimit(t, LimitMemory, "echo before; "+memoryBomb, func(cfg *Config) { cfg.Limits.Memory = 32 << 20 })
	if r.Signal != syscall.SIGKILL || r.out != "before\n" {
		t.Errorf("ended by %v, printed %q", r.Signal, r.out)
	}
}

func TestMemoryOfAllProcessesTogether(t *testing.T) {
	breakLimit(t, LimitMemory, `for i in 1 2 3 4 5 6; do (x=$(head -c 8M /dev/zero | tr "\\0" x); sleep 15; :) & done; wait`,
		func(cfg *Config) { cfg.Limits.Memory = 48 << 20 })
}

func TestMemoryFileSystemsCount(t *testing.T) {
	breakLimit(t, LimitMemory, `head -c 64M /dev/zero >/dev/shm/x`, func(cfg *Config) { cfg.Limits.Memory = 32 << 20 })
}

func TestForkBomb(t *testing.T) {
	breakLimit(t, LimitProcesses, `bomb() { bomb | bomb & }; bomb; sleep 100`, func(cfg *Config) { cfg.Limits.Processes = 50 })
}

func TestProcessorTimeOfManyProcesses(t *testing.T) {
	breakLimit(t, LimitCPUTime, `for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait`, func(cfg *Config) { cfg.Limits.CPUTime = 300 * time.Millisecond })
}

func TestProcessorTimeOfDaemons(t *testing.T) {
	breakLimit(t, LimitCPUTime, `for i in 1 2; do setsid sh -c 'while :; do :; done' & done; sleep 100`, func(cfg *Config) { cfg.Limits.CPUTime = 300 * time.Millisecond })
}
