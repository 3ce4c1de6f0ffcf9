package sandbox

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// everyWay runs a test in namespaces and in a directory of other systems, at the same
// time, as most of it is waiting. A directory of Linux has the supervisor of the first.
func everyWay(t *testing.T, test func(t *testing.T, run func(context.Context, string, Config) result)) {
	t.Run("namespaces", func(t *testing.T) {
		requireSandbox(t)
		t.Parallel()
		test(t, func(ctx context.Context, script string, wanted Config) result {
			return start(t, ctx, func(cfg *Config) { wanted.fill(cfg, script) })
		})
	})
	t.Run("portable", func(t *testing.T) {
		t.Parallel()
		test(t, func(ctx context.Context, script string, wanted Config) result {
			out, log := scratch(t), scratch(t)
			cfg := Config{Isolation: Directory, Dir: t.TempDir(), Env: []string{"PATH=/usr/bin:/bin"}, Stdout: out, Stderr: out, Log: log}
			wanted.fill(&cfg, script)
			status, err := runPortable(ctx, cfg)
			return result{status, content(t, out), content(t, log), err}
		})
	})
}

// fill sets what these tests are about.
func (cfg Config) fill(of *Config, script string) {
	of.Args, of.Teardown, of.Setup = []string{"sh", "-c", script}, cfg.Teardown, cfg.Setup
	of.Timeout, of.Grace, of.Exceeded = cfg.Timeout, cfg.Grace, cfg.Exceeded
}

// hangs is a tear-down that ends by nothing but SIGKILL, and says that it began.
func hangs() []string {
	return []string{"sh", "-c", "trap '' TERM; echo began; sleep 1000; sleep 1000"}
}

// TestATeardownHasTheTimeOfTheCommand: whatever became of that, whose end stays as it
// was.
func TestATeardownHasTheTimeOfTheCommand(t *testing.T) {
	const soon, grace = 3 * time.Second, 50 * time.Millisecond
	everyWay(t, func(t *testing.T, run func(context.Context, string, Config) result) {
		r := run(t.Context(), "exit 3", Config{Timeout: soon, Grace: grace, Teardown: hangs()})
		if r.err != nil || r.ExitCode != 3 || r.TimedOut || r.Killed || r.log != "began\n" {
			t.Errorf("a command that ended: %+v, %v, log %q", r.Status, r.err, r.log)
		}
		if r.Teardown == nil || !r.Teardown.TimedOut || r.Teardown.OK() || r.Teardown.Signal != syscall.SIGKILL {
			t.Errorf("its tear-down: %+v", r.Teardown)
		}
		r = run(t.Context(), "exit 0", Config{Timeout: soon, Grace: 10 * time.Second, Teardown: []string{"sh", "-c", "sleep 3.5; echo done"}})
		if r.ExitCode != 0 || r.Teardown == nil || !r.Teardown.OK() || r.log != "done\n" {
			t.Errorf("within the grace, which is longer: %+v, tear-down %+v, log %q", r.Status, r.Teardown, r.log)
		}
		r = run(t.Context(), "sleep 1000", Config{Timeout: 2 * time.Second, Grace: grace, Teardown: []string{"sh", "-c", "sleep 0.5; echo done"}})
		if !r.TimedOut || r.Teardown == nil || !r.Teardown.OK() || r.log != "done\n" {
			t.Errorf("after the time-out, longer than the grace: %+v, tear-down %+v, log %q", r.Status, r.Teardown, r.log)
		}
		r = run(t.Context(), "echo ran", Config{Timeout: soon, Grace: grace, Setup: []string{"false"}, Teardown: []string{"sh", "-c", "echo began; sleep 1000"}})
		if r.out != "" || r.ExitCode != -1 || r.Teardown == nil || !r.Teardown.TimedOut || r.Teardown.Signal != syscall.SIGTERM {
			t.Errorf("after a set-up that failed: %+v, tear-down %+v", r.Status, r.Teardown)
		}
	})
}

// TestATeardownEndsWithTheRun: it has the grace when the run is cancelled meanwhile, or
// was before, however long a command may take.
func TestATeardownEndsWithTheRun(t *testing.T) {
	everyWay(t, func(t *testing.T, run func(context.Context, string, Config) result) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := run(ctx, "exit 3", Config{Timeout: time.Hour, Grace: 50 * time.Millisecond, Teardown: hangs()})
		if r.err != nil || r.ExitCode != 3 || r.Killed || r.Teardown == nil || r.Teardown.TimedOut || r.Teardown.Signal != syscall.SIGKILL {
			t.Errorf("cancelled during the tear-down: %+v, tear-down %+v, %v", r.Status, r.Teardown, r.err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r = run(ctx, "sleep 1000", Config{Timeout: time.Hour, Grace: 500 * time.Millisecond, Teardown: hangs()})
		if r.err != nil || !r.Killed || r.Teardown == nil || r.Teardown.TimedOut || r.Teardown.Signal != syscall.SIGKILL || r.log != "began\n" {
			t.Errorf("cancelled before: %+v, tear-down %+v, %v", r.Status, r.Teardown, r.err)
		}
	})
}

// TestATeardownAfterALimit has the time of the command too, and the grace where that
// has no bound.
func TestATeardownAfterALimit(t *testing.T) {
	everyWay(t, func(t *testing.T, run func(context.Context, string, Config) result) {
		for _, timeout := range []time.Duration{0, 2 * time.Second} {
			exceeded := make(chan Limit, 1)
			exceeded <- LimitOutput
			r := run(t.Context(), "sleep 1000", Config{Timeout: timeout, Grace: 500 * time.Millisecond, Exceeded: exceeded, Teardown: hangs()})
			if len(r.Struck) != 1 || r.Teardown == nil || r.Teardown.Signal != syscall.SIGKILL || r.Teardown.TimedOut != (timeout > 0) || r.log != "began\n" {
				t.Errorf("with %v: %+v, tear-down %+v, log %q", timeout, r.Status, r.Teardown, r.log)
			}
		}
	})
}

// TestATeardownWithoutATimeoutMayTakeAnyTime: longer than the grace, at least.
func TestATeardownWithoutATimeoutMayTakeAnyTime(t *testing.T) {
	everyWay(t, func(t *testing.T, run func(context.Context, string, Config) result) {
		r := run(t.Context(), "exit 3", Config{Grace: 50 * time.Millisecond, Teardown: []string{"sh", "-c", "sleep 1; echo done"}})
		if r.err != nil || r.ExitCode != 3 || r.Teardown == nil || !r.Teardown.OK() || r.log != "done\n" {
			t.Errorf("%+v, tear-down %+v, %v", r.Status, r.Teardown, r.err)
		}
	})
}
