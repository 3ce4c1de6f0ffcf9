//go:build amd64 || arm64

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fromPool runs a script in a sandbox of a pool.
func fromPool(t testing.TB, p *Pool, script string, adjust ...func(*Config)) result {
	t.Helper()
	a, err := p.Start(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := scratch(t)
	cfg := Config{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Stdout: out, Stderr: out}
	for _, change := range adjust {
		change(&cfg)
	}
	status, err := a.Run(context.Background(), cfg)
	return result{Status: status, out: content(t, out), err: err}
}

// holds waits until that many sandboxes are ready, and none is being made.
func holds(t testing.TB, p *Pool, count int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d sandboxes are ready", count), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.ready) == count && p.making == 0
	})
}

// childless waits until this process has no children.
func childless(t testing.TB) {
	t.Helper()
	eventually(t, "no process is left", func() bool {
		lists, err := filepath.Glob("/proc/self/task/*/children") // each thread has its own
		if err != nil || len(lists) == 0 {
			t.Fatal(lists, err)
		}
		return !slices.ContainsFunc(lists, func(list string) bool {
			text, _ := os.ReadFile(list) // which a thread that has ended meanwhile took along
			return len(strings.Fields(string(text))) > 0
		})
	})
}

func TestPoolHasTheNextOneReady(t *testing.T) {
	requireOverlay(t)
	p := NewPool(Config{Hostname: "pooled"}, SystemView, 2)
	defer p.Close()
	script := "test ! -e /tmp/seen && touch /tmp/seen && cat file; echo; id -u; pwd; hostname; grep Seccomp: /proc/self/status"
	for range 4 {
		o := overlay(t, map[string]string{"file": "text"})
		fromPool(t, p, script, func(cfg *Config) { cfg.Overlays = []Overlay{o} }).want(t, 0, "text\n1000\n/build\npooled\nSeccomp:\t2")
		holds(t, p, 1)
	}
}

// What one run brought is not there for the next, whose program has the same memory.
func TestPoolForgetsWhatARunBrought(t *testing.T) {
	requireSandbox(t)
	p := NewPool(Config{}, SystemView, 1)
	defer p.Close()
	secret := "SECRET=" + strings.Repeat("s", 300)
	fromPool(t, p, "echo ${#SECRET}", func(cfg *Config) {
		cfg.Env, cfg.Setup, cfg.Timeout = append(cfg.Env, secret), []string{"/bin/true"}, time.Hour
	}).want(t, 0, "300")
	eventually(t, "the program is back", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reap()
		return len(p.programs) > 0
	})
	p.mu.Lock()
	plan := p.programs[0]
	if bytes.Contains(plan.arena.memory[:1<<20], []byte(secret)) || plan.orders.announce != 0 || plan.orders.stages[stageSetup].wanted || len(plan.setup) != plan.laid.steps {
		t.Error("something of the last run is left")
	}
	p.mu.Unlock()
	fromPool(t, p, "echo \"<$SECRET>\"").want(t, 0, "<>")
	fromPool(t, p, "echo \"<$SECRET>\"").want(t, 0, "<>") // in the program that served the first
}

func TestPoolDropsWhatNobodyTakes(t *testing.T) {
	requireSandbox(t)
	p := NewPool(Config{}, SystemView, 2)
	defer p.Close()
	fromPool(t, p, "true").want(t, 0, "")
	holds(t, p, 1)
	begin := time.Now()
	holds(t, p, 0)
	if waited := time.Since(begin); waited > 2*PoolIdle {
		t.Errorf("it was there for %v", waited)
	}
	childless(t)
	eventually(t, "an idle pool keeps no memory, and sleeps", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.base == nil && len(p.programs) == 0 && p.timer == nil
	})
}

func TestPoolLooksAtTheHostAgain(t *testing.T) {
	requireSandbox(t)
	var text atomic.Value
	text.Store("old")
	p := NewPool(Config{}, func() View {
		v := SystemView()
		v.Files = append(v.Files, File{Path: "/etc/state", Content: []byte(text.Load().(string))})
		return v
	}, 1)
	defer p.Close()
	fromPool(t, p, "cat /etc/state").want(t, 0, "old")
	text.Store("new")
	p.mu.Lock()
	p.looked = p.looked.Add(-PoolIdle)
	p.mu.Unlock()
	eventually(t, "the new state is seen", func() bool { return fromPool(t, p, "cat /etc/state").out == "new" })
}

func TestPoolTellsWhatIsWrong(t *testing.T) {
	requireSandbox(t)
	for _, view := range []View{
		{Binds: []Bind{{Source: "/nowhere", Target: "/usr"}}},
		{Binds: []Bind{{Source: "/usr", Target: "usr"}}},
		{Files: []File{{Path: "/large", Content: make([]byte, arenaSize)}}},
	} {
		p := NewPool(Config{}, func() View { return view }, 1)
		if a, err := p.Start(Limits{}); err == nil || a != nil {
			t.Errorf("%v was begun", view.Binds)
		}
		p.Close()
	}
	p := NewPool(Config{}, SystemView, 1)
	defer p.Close()
	var failed *SetupError
	for range 3 { // also with what failed used again
		r := fromPool(t, p, "true", func(cfg *Config) {
			cfg.Overlays = []Overlay{{Target: WorkDir, Lowers: []string{"/nowhere/a", "/nowhere/b"}}}
		})
		if !errors.As(r.err, &failed) || failed.Stage != stageOverlay || failed.Path != WorkDir {
			t.Errorf("got %v", r.err)
		}
		fromPool(t, p, "echo well").want(t, 0, "well")
	}
}

// A mount above those of the view takes another sandbox.
func TestPoolWithAMountThatCoversOthers(t *testing.T) {
	requireSandbox(t)
	above, below := t.TempDir(), t.TempDir()
	write(t, above+"/own", "above")
	write(t, above+"/deep/own", "hidden")
	write(t, below+"/own", "below")
	p := NewPool(Config{}, func() View {
		v := SystemView()
		v.Binds = append(v.Binds, Bind{Source: below, Target: "/opt/deep"})
		return v
	}, 1)
	defer p.Close()
	for range 3 {
		a, err := p.Start(Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out := scratch(t)
		status, err := a.Run(t.Context(), Config{Args: []string{"/bin/cat", "/opt/own", "/opt/deep/own"}, Stdout: out, Binds: []Bind{{Source: above, Target: "/opt"}}})
		if text := content(t, out); err != nil || status.ExitCode != 0 || text != "abovebelow" {
			t.Fatalf("%q, %+v, %v", text, status, err)
		}
	}
}

func TestLimitsInASandboxOfAPool(t *testing.T) {
	requireSandbox(t)
	p := NewPool(Config{}, SystemView, 1)
	defer p.Close()
	for range 2 {
		limits := Limits{FileSize: 1000}
		a, err := p.Start(limits)
		if err != nil {
			t.Fatal(err)
		}
		status, err := a.Run(t.Context(), Config{Args: []string{"/bin/sh", "-c", "exec head -c 5000 /dev/zero >/tmp/file"}, Env: []string{"PATH=/usr/bin:/bin"}, Limits: limits})
		if err != nil || len(status.Struck) != 1 || status.Struck[0] != LimitOutput {
			t.Errorf("%+v, %v", status, err)
		}
	}
}

// TestPoolUnderUse: whatever its users do, each gets a sandbox of its own, and in the
// end nothing is left.
func TestPoolUnderUse(t *testing.T) {
	requireSandbox(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := NewPool(Config{}, SystemView, rapid.IntRange(1, 3).Draw(rt, "most"))
		var users sync.WaitGroup
		for range rapid.IntRange(1, 3).Draw(rt, "users") {
			deeds := rapid.SliceOfN(rapid.SampledFrom([]string{"run", "run", "drop", "cancel", "fail", "twice", "hang"}), 1, 6).Draw(rt, "deeds")
			users.Go(func() {
				for _, deed := range deeds {
					if err := use(p, deed); err != nil {
						rt.Errorf("%s: %v", deed, err)
					}
				}
			})
		}
		if rapid.Bool().Draw(rt, "closed early") {
			p.Close()
		}
		users.Wait()
		p.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.ready)+len(p.leaving)+p.making+p.running+len(p.programs) != 0 || p.mounts.isBegun {
			rt.Errorf("left: %+v", p)
		}
	})
	childless(t)
}

// use does one thing that a user of a pool may do.
func use(p *Pool, deed string) error {
	a, err := p.Start(Limits{})
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg, want := Config{Args: []string{"/bin/sh", "-c", "test ! -e /tmp/used && >/tmp/used; exit 7"}}, 7
	switch deed {
	case "drop":
		return nil
	case "cancel":
		cancel()
		want = -1
	case "fail":
		cfg.Dir = "/no/such"
		want = -1
	case "hang":
		cfg.Args, cfg.Timeout, cfg.Grace, want = []string{"/bin/sleep", "100"}, time.Millisecond, time.Millisecond, -1
	}
	status, err := a.Run(ctx, cfg)
	if status.ExitCode != want || (err != nil) != (deed == "fail") {
		return fmt.Errorf("%+v, %w", status, err)
	}
	if _, again := a.Run(ctx, cfg); !errors.Is(again, ErrConfig) {
		return fmt.Errorf("it could be used again: %w", again)
	}
	return nil
}

// TestPoolBesideOtherForks: programs that the caller starts itself meanwhile get
// nothing of a sandbox, and take nothing from it.
func TestPoolBesideOtherForks(t *testing.T) {
	requireSandbox(t)
	list := func() string {
		out, err := exec.Command("/bin/ls", "/proc/self/fd").Output()
		if err != nil {
			t.Error(err)
		}
		return string(out)
	}
	before := list()
	p := NewPool(Config{}, SystemView, 2)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 20 {
				if err := use(p, "run"); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 20 {
				if now := list(); now != before {
					t.Errorf("open files: %q, before %q", now, before)
				}
			}
		})
	}
	all.Wait()
	p.Close()
	childless(t)
}

// waitReady is a helper that has sandboxes ready, says so, and does not go on.
func waitReady(args []string) error {
	p := NewPool(Config{}, SystemView, 2)
	if err := use(p, "run"); err != nil {
		return err
	}
	fmt.Println("ready", args[0])
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func TestDeathOfTheCallerEndsAPool(t *testing.T) {
	requireSandbox(t)
	mark := fmt.Sprintf("pool-%d-%d", os.Getpid(), time.Now().UnixNano())
	cmd := outside(t, "ready", mark)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready "+mark+"\n" {
		t.Fatal(line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "every process is gone", func() bool { return len(marked(t, mark)) == 0 })
}
