//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ahead starts a sandbox before its command is known, and runs it.
func ahead(t *testing.T, script string, adjust func(*Config)) result {
	t.Helper()
	a, err := Start(Config{}, SystemView)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	out := scratch(t)
	cfg := Config{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Stdout: out, Stderr: out}
	if adjust != nil {
		adjust(&cfg)
	}
	status, err := a.Run(context.Background(), cfg)
	return result{Status: status, out: content(t, out), err: err}
}

func TestAheadRunsWhatComesLater(t *testing.T) {
	requireOverlay(t)
	o := overlay(t, map[string]string{"file": "text"})
	ahead(t, "cat file; echo; id -u; pwd", func(cfg *Config) { cfg.Overlays = []Overlay{o} }).want(t, 0, "text\n1000\n/build")
	input, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	ahead(t, "grep Seccomp: /proc/self/status", func(cfg *Config) { cfg.Isolation, cfg.Dir = Directory, WorkDir }).want(t, 0, "Seccomp:\t2")
	ahead(t, "head -c 3 | od -An -c", func(cfg *Config) { cfg.Stdin = input }).want(t, 0, `\0  \0  \0`)
}

// A mount above those of the view cannot be added to them.
func TestAheadBeginsAgainForAMountThatCoversOthers(t *testing.T) {
	requireSandbox(t)
	above, below := t.TempDir(), t.TempDir()
	write(t, filepath.Join(above, "own"), "above")
	write(t, filepath.Join(above, "deep", "own"), "hidden")
	write(t, filepath.Join(below, "own"), "below")
	view := SystemView()
	view.Binds = append(view.Binds, Bind{Source: below, Target: "/opt/deep"})
	a, err := Start(Config{}, func() View { return view })
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	out := scratch(t)
	status, err := a.Run(context.Background(), Config{Args: []string{"/bin/cat", "/opt/own", "/opt/deep/own"}, Stdout: out, Binds: []Bind{{Source: above, Target: "/opt"}}})
	if text := content(t, out); err != nil || status.ExitCode != 0 || text != "abovebelow" {
		t.Errorf("%q, %v, %v", text, status, err)
	}
}

func TestAheadServesOneRun(t *testing.T) {
	requireSandbox(t)
	a, err := Start(Config{}, SystemView)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Args: []string{"true"}}
	if status, err := a.Run(context.Background(), cfg); err != nil || status.ExitCode != 0 {
		t.Fatal(status, err)
	}
	a.Close()
	if _, err := a.Run(context.Background(), cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("the second run: %v", err)
	}
}

func TestAheadThatIsNotWantedGoes(t *testing.T) {
	requireSandbox(t)
	a, err := Start(Config{}, SystemView)
	if err != nil {
		t.Fatal(err)
	}
	pid := a.box.pid
	a.Close()
	a.Close()
	gone := func() bool { _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); return err != nil }
	for deadline := time.Now().Add(10 * time.Second); !gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("process 1 is still there")
		}
	}
}

func TestAheadTellsWhatFailed(t *testing.T) {
	requireSandbox(t)
	r := ahead(t, "true", func(cfg *Config) {
		cfg.Overlays = []Overlay{{Target: WorkDir, Lowers: []string{"/nowhere/a", "/nowhere/b"}}}
	})
	var failed *SetupError
	if !errors.As(r.err, &failed) || failed.Stage != stageOverlay || failed.Path != WorkDir {
		t.Errorf("got %v", r.err)
	}
}

// Process 1 may fail while the order to go on is on its way.
func TestWhatFailsInTheFirstPartIsTold(t *testing.T) {
	requireSandbox(t)
	for range 30 {
		view := View{Files: []File{{Path: "/dev/null/file", Content: []byte("x")}}, Symlinks: []Symlink{{Path: "/dev/null", To: "nowhere"}}}
		a, err := Start(Config{}, func() View { return view })
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Run(context.Background(), Config{Args: []string{"true"}})
		var failed *SetupError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestTooMuchForAProgramIsSaid(t *testing.T) {
	requireSandbox(t)
	r := ahead(t, "true", func(cfg *Config) { cfg.Env = []string{"X=" + strings.Repeat("x", arenaSize)} })
	if !errors.Is(r.err, ErrConfig) || !strings.Contains(r.err.Error(), "32 MiB") {
		t.Errorf("got %v", r.err)
	}
}

// What did not fit is in memory that is not for process 1, so that never begins.
func TestTooMuchOfAViewIsSaid(t *testing.T) {
	requireSandbox(t)
	large := make([]byte, arenaSize/2)
	view := View{Files: []File{{Path: "/first", Content: large}, {Path: "/second", Content: large}}}
	a, err := Start(Config{}, func() View { return view })
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "32 MiB") {
		t.Errorf("got %v", err)
	}
	if a != nil {
		a.Close()
	}
}
