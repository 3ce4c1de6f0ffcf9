package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// everything asks for all kinds, with limits that nothing here meets.
func everything() Limits { return Limits{Memory: 1 << 30, Processes: 1000, CPUTime: true} }

// newGroup makes a group, and skips where there can be none.
func newGroup(t *testing.T, limits Limits) *Group {
	t.Helper()
	if len(places(limits.kinds())) == 0 {
		t.Skip("this user can have no control groups here")
	}
	g, err := New(limits)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// enter starts a shell that goes into the parts of version 1, waits for its input
// to end, and then runs the script.
func enter(t *testing.T, g *Group, script string) (begin func() error, wait func() error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read x; "+script)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, p := range g.parts {
		if err := set(p.path, "cgroup.procs", fmt.Sprint(cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	return input.Close, cmd.Wait
}

func TestGroupMeasuresAndGoes(t *testing.T) {
	g := newGroup(t, everything())
	begin, wait := enter(t, g, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
	if use := g.Look(); g.Holds(CPUTime) && use.CPUTime < 10*time.Millisecond || use.OutOfMemory || use.OutOfProcesses {
		t.Errorf("used %+v", use)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for _, p := range g.parts {
		if _, err := os.Stat(p.path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", p.path, err)
		}
	}
}

func TestGroupWithAProcessIsNotRemoved(t *testing.T) {
	g := newGroup(t, everything())
	begin, wait := enter(t, g, "exit 0")
	if err := g.Close(); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("removed with a process in it: %v", err)
	}
	_, _ = begin(), wait()
	for _, p := range g.parts {
		sweep(p.dir)
		if _, err := os.Stat(p.path); !os.IsNotExist(err) {
			t.Errorf("the sweep left %s: %v", p.path, err)
		}
	}
}

func TestSweepLeavesWhatIsInUse(t *testing.T) {
	g := newGroup(t, everything())
	for _, p := range g.parts {
		sweep(p.dir)
		if _, err := os.Stat(p.path); err != nil {
			t.Errorf("the sweep took %s: %v", p.path, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// fakeGroup is a part whose files are plain ones.
func fakeGroup(t *testing.T, version Version, files map[string]string) *part {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &part{place: place{version: version}, path: dir}
}

func TestWhatCountsAsOutOfMemory(t *testing.T) {
	for name, c := range map[string]struct {
		version Version
		files   map[string]string
		want    bool
	}{
		"version 2, nothing":             {V2, map[string]string{"memory.events": "low 0\nmax 7\noom 0\noom_kill 0\n"}, false},
		"version 2, killed for its own":  {V2, map[string]string{"memory.events": "max 9\noom 1\noom_kill 2\noom_group_kill 1\n"}, true},
		"version 2, of the machine":      {V2, map[string]string{"memory.events": "oom 0\noom_kill 1\n"}, false},
		"version 1, killed for its own":  {V1, map[string]string{"memory.oom_control": "under_oom 0\noom_kill 1\n", "memory.max_usage_in_bytes": "33550336\n", "memory.limit_in_bytes": "33554432\n"}, true},
		"version 1, swap and memory":     {V1, map[string]string{"memory.oom_control": "oom_kill 1\n", "memory.max_usage_in_bytes": "1\n", "memory.memsw.max_usage_in_bytes": "33554432\n", "memory.limit_in_bytes": "33554432\n"}, true},
		"version 1, of the machine":      {V1, map[string]string{"memory.oom_control": "oom_kill 1\n", "memory.max_usage_in_bytes": "4096\n", "memory.limit_in_bytes": "33554432\n"}, false},
		"version 1, nobody was killed":   {V1, map[string]string{"memory.oom_control": "oom_kill 0\n", "memory.max_usage_in_bytes": "33554432\n", "memory.limit_in_bytes": "33554432\n"}, false},
		"a group that cannot be read":    {V2, nil, false},
		"numbers that are none":          {V2, map[string]string{"memory.events": "oom x\noom_kill \n"}, false},
		"version 1 without these counts": {V1, map[string]string{"memory.oom_control": "under_oom 0\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fakeGroup(t, c.version, c.files).outOfMemory(); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLimitsAsVersion2TakesThem(t *testing.T) {
	p := fakeGroup(t, V2, map[string]string{"memory.max": "", "memory.oom.group": "", "pids.max": "", "cpu.stat": "usage_usec 1500\nuser_usec 1000\n"})
	limits := Limits{Memory: 5 << 20, Processes: 7}
	for _, kind := range []Kind{Memory, Processes, CPUTime} {
		if err := p.limit(kind, limits); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{"memory.max": "5242880", "memory.oom.group": "1", "pids.max": "7"} {
		if got, err := os.ReadFile(filepath.Join(p.path, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if got := p.cpuTime(); got != 1500*time.Microsecond {
		t.Errorf("%v of processor time", got)
	}
	if err := fakeGroup(t, V2, nil).limit(Processes, limits); err == nil {
		t.Error("a limit without its file was set")
	}
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	var left []string
	for _, p := range places(everything().kinds()) {
		path, err := os.MkdirTemp(p.dir, prefix+"*")
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, path)
	}
	g := newGroup(t, everything())
	for _, path := range left {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
