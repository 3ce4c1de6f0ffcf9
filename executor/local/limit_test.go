package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/caches/named"
	"larder/executor/action"
	"larder/executor/local"
	"larder/sandbox"
)

// overLimit runs a command that goes over one limit in bounded time, and leaves
// nothing behind.
func overLimit(t *testing.T, b *bench, limit, script string, change func(*action.Spec)) ran {
	t.Helper()
	start := time.Now()
	r := b.sh(t, script, change)
	if r.err != nil || r.Status != action.StatusLimit || !slices.Equal(r.LimitsHit, []string{limit}) || r.ExitCode == 0 {
		t.Errorf("status %s, exit code %d, limits %v, %v; want %s", r.Status, r.ExitCode, r.LimitsHit, r.err, limit)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	b.wantNothingLeft(t)
	return r
}

func outputLimit(size string) func(*action.Spec) {
	return func(s *action.Spec) { s.OutputLimit = size }
}

func TestEndlessOutputIsKeptUpToTheLimit(t *testing.T) {
	b := newTestBench(t)
	r := overLimit(t, b, "output", "yes; yes >&2", outputLimit("100K"))
	if len(r.stdout) != 100<<10 || strings.Trim(r.stdout, "y\n") != "" || r.StdoutDigest == "" {
		t.Errorf("%d bytes came, kept as %q", len(r.stdout), r.StdoutDigest)
	}
	both := overLimit(t, b, "output", "yes & yes >&2", outputLimit("100K"))
	if got := len(both.stdout) + len(both.stderr); got != 100<<10 {
		t.Errorf("%d bytes came on both", got)
	}
}

func TestDiskUseIsLimited(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for name, script := range map[string]string{
			"many small files":      "while :; do i=x$i; >$i; done",
			"many directories":      "while :; do i=x$i; mkdir $i; done",
			"in /tmp and the home":  "head -c 60000 /dev/zero >/tmp/a; head -c 60000 /dev/zero >$HOME/b; sleep 1000",
			"in a cache":            "for i in 1 2 3; do head -c 50000 /dev/zero >cache/$i; done; sleep 1000",
			"one large file":        "head -c 10M /dev/zero >large",
			"one, and no signal":    "trap '' XFSZ; head -c 10M /dev/zero >large",
			"a huge hole":           "truncate -s 1T large",
			"in a closed directory": "mkdir h; chmod 300 h; cd h; for i in 1 2 3; do head -c 50000 /dev/zero >$i; done; sleep 1000",
			"and closed later":      "mkdir h; for i in 1 2 3; do head -c 50000 /dev/zero >h/$i; done; chmod 0 h; sleep 1000",
			"without a name":        "for n in 3 4 5; do eval \"exec $n>f$n\"; rm f$n; head -c 50000 /dev/zero >&$n; done; (setsid sleep 1000 &); exec 3>&- 4>&- 5>&-; sleep 1000",
			"just before the end":   "for i in 1 2 3; do head -c 50000 /dev/zero >$i; done",
		} {
			t.Run(name, func(t *testing.T) {
				if b.config.Sandbox == local.KindDirectory && name == "in /tmp and the home" {
					t.Skip("/tmp is that of the host; $TMPDIR counts")
				}
				r := overLimit(t, b, "output", script, func(s *action.Spec) {
					s.OutputLimit = "100K"
					s.Caches = []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache", Publish: "always"}}
				})
				if got := r.Caches[0].Outcome; got != string(named.Discarded) {
					t.Errorf("the cache was %s", got)
				}
			})
		}
	})
}

func TestWhatIsInMemoryTakesNoDisk(t *testing.T) {
	b := newTestBench(t)
	script := `for n in 3 4 5; do eval "exec $n>/dev/shm/f$n"; rm /dev/shm/f$n; head -c 90000 /dev/zero >&$n; done; sleep 0.4; echo fine`
	b.sh(t, script, outputLimit("100K")).want(t, 0, "fine")
}

// needPython skips a test where the host has none for the sandbox to see.
func needPython(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("python3 is not installed:", err)
	}
}

// deepFolders makes directories that no path reaches, and stays in the last one.
const deepFolders = `import os, time
for i in range(%d):
    os.mkdir("%s"); os.chdir("%[2]s")
`

// TestDiskUseWhereNoPathReaches: long names, and more levels than larder looks at.
func TestDiskUseWhereNoPathReaches(t *testing.T) {
	needPython(t)
	b := newTestBench(t)
	for name, script := range map[string]string{
		"long": fmt.Sprintf(deepFolders, 20, strings.Repeat("d", 250)) + "for i in range(3):\n    open(str(i), 'wb').write(bytes(50000))\ntime.sleep(1000)",
		"deep": fmt.Sprintf(deepFolders, 2100, "d") + "time.sleep(1000)",
	} {
		t.Run(name, func(t *testing.T) {
			put(t, filepath.Join(b.root, "deep.py"), script)
			limit := map[string]string{"long": "200K", "deep": "1G"}[name]
			overLimit(t, b, "output", "exec python3 deep.py", func(s *action.Spec) { s.OutputLimit, s.Inputs = limit, []string{"deep.py"} })
		})
	}
}

// TestDeepOutputsAreNamedShortly: the message does not hold the path.
func TestDeepOutputsAreNamedShortly(t *testing.T) {
	needPython(t)
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "deep.py"), "import os\nos.mkdir('out'); os.chdir('out')\n"+fmt.Sprintf(deepFolders, 20, strings.Repeat("d", 250)))
	r := b.sh(t, "python3 deep.py", func(s *action.Spec) { s.Inputs, s.Outputs = []string{"deep.py"}, []string{"out"} })
	if r.err == nil || len(r.err.Error()) > 300 || !strings.Contains(r.err.Error(), "capture output out") {
		t.Errorf("%.400v", r.err)
	}
	b.wantNothingLeft(t)
}

// TestDeepFoldersAreRemoved: deeper than larder can have files open, and without
// permissions.
func TestDeepFoldersAreRemoved(t *testing.T) {
	needPython(t)
	both(t, func(t *testing.T, b *bench) {
		put(t, filepath.Join(b.root, "deep.py"), fmt.Sprintf(deepFolders, 1200, "d")+"for i in range(1200): os.chdir('..'); os.chmod('d', 0)")
		r := b.sh(t, "python3 deep.py", func(s *action.Spec) { s.Inputs = []string{"deep.py"} })
		if r.err != nil || r.ExitCode != 0 || len(r.Warnings) > 0 {
			t.Errorf("%d, %v, %.200q, %s", r.ExitCode, r.err, r.Warnings, r.stderr)
		}
		b.wantNothingLeft(t)
	})
}

func TestWhatWasThereBeforeIsNoOutput(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		cached := func(s *action.Spec) {
			s.Caches = []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache"}}
		}
		b.sh(t, "head -c 500000 /dev/zero >cache/large", cached).want(t, 0, "")
		b.sh(t, "cat cache/large | wc -c", cached, outputLimit("1K")).want(t, 0, "500000")
	})
}

func TestLimitsOfAllProcesses(t *testing.T) {
	b := newTestBench(t)
	if len(sandbox.Probe().Groups) < 3 {
		t.Skip("this user can have no control groups here")
	}
	r := overLimit(t, b, "memory", "echo begun; (setsid sh -c 'x=0123456789abcdef; while :; do x=$x$x; done' &); sleep 1000", func(s *action.Spec) {
		s.Memory, s.Teardown, s.Outputs = "32M", "echo x >torn", []string{"torn"}
	})
	if r.stdout != "begun\n" || len(r.Outputs) != 1 {
		t.Errorf("printed %q, outputs %v", r.stdout, r.Outputs)
	}
	overLimit(t, b, "pids", "bomb() { bomb | bomb & }; bomb; sleep 1000", func(s *action.Spec) { s.Pids = 30 })
	overLimit(t, b, "cpu-time", "for i in 1 2 3; do (while :; do :; done) & done; wait", func(s *action.Spec) { s.CPUTime = "200ms" })
}

func TestLooseLimitsAreWarnedOf(t *testing.T) {
	b := newTestBench(t)
	groups := sandbox.Probe().Groups
	r := b.sh(t, "echo fine", func(s *action.Spec) { s.Memory, s.Pids, s.CPUTime = "1G", 1000, "1m" }).want(t, 0, "fine")
	for limit, flag := range map[sandbox.Limit]string{sandbox.LimitMemory: "--memory", sandbox.LimitProcesses: "--pids", sandbox.LimitCPUTime: "--cpu-time"} {
		warned := slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.HasPrefix(w, flag+" held") && strings.Contains(w, "larder doctor") })
		if held := groups[limit] > 0; held == warned {
			t.Errorf("%s: held %v, warned %v: %v", limit, held, warned, r.Warnings)
		}
	}
}

// Whoever is left when the command has ended goes with it, also one that eats
// memory and has a session of its own.
func TestDaemonsUnderLimitsEndWithTheCommand(t *testing.T) {
	b := newTestBench(t)
	start := time.Now()
	r := b.sh(t, "for i in 1 2 3; do (setsid sh -c 'x=0123456789abcdef; while :; do x=$x$x; done' &); done; echo done", func(s *action.Spec) {
		s.Memory, s.Pids, s.CPUTime, s.OutputLimit = "64M", 50, "10s", "1M"
	})
	if r.err != nil || r.Status != action.StatusOK && r.Status != action.StatusLimit || time.Since(start) > 20*time.Second {
		t.Errorf("status %s, limits %v, %v after %v", r.Status, r.LimitsHit, r.err, time.Since(start))
	}
	b.wantNothingLeft(t)
}
