//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestIdentityOfTheProcess(t *testing.T) {
	requireSandbox(t)
	for script, want := range map[string]string{
		"id -u; id -g":                              "1000\n1000",
		"id -un; id -gn; hostname":                  "larder\nlarder\nlarder",
		"pwd; umask":                                "/build\n0022",
		"env | grep -v ^PWD= | sort":                "HOME=/home/larder\nPATH=/usr/bin:/bin",
		"ls /home/larder /sys /build":               "/build:\n\n/home/larder:\n\n/sys:",
		"touch $HOME/x /tmp/x && ls $HOME":          "x",
		"ulimit -n; ulimit -c":                      "1024\n0",
		"grep -c . /proc/net/dev":                   "3",
		"ls /proc/self/fd | tr '\\n' ' '":           "0 1 2 3", // 3 is ls reading
		"grep -E '^Sig(Ign|Blk)' /proc/self/status": "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000",
	} {
		t.Run(script, func(t *testing.T) { shell(t, script).want(t, 0, want) })
	}
}

func TestExitCodesAndSignals(t *testing.T) {
	requireSandbox(t)
	shell(t, "exit 37").want(t, 37, "")
	r := shell(t, "kill -USR1 $$")
	if r.Signal != syscall.SIGUSR1 || r.ExitCode != -1 || r.err != nil {
		t.Errorf("killed by SIGUSR1: got %+v, %v", r.Status, r.err)
	}
}

func TestStandardInputIsGivenOn(t *testing.T) {
	requireSandbox(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := writer.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	shell(t, "cat", func(cfg *Config) { cfg.Stdin = reader }).want(t, 0, "hello")
	shell(t, "cat").want(t, 0, "")
}

func TestProgramThatCannotBeExecuted(t *testing.T) {
	requireSandbox(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lost"), "#!/no/such/interpreter\n")
	write(t, filepath.Join(dir, "text"), "no program\n")
	write(t, filepath.Join(dir, "plain"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "plain"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program, path string
		notFound      bool
		message       string
	}{
		{"no-such-program", "", true, "not found"},
		{"/no/such/program", "", true, "not found"},
		{"./none", "", true, "not found"},
		{"lost", "/tools/lost", false, "interpreter"},
		{"text", "/tools/text", false, "not in an executable format"},
		{"plain", "/tools/plain", false, "not executable"},
		{"/tools", "/tools", false, "directory"},
	} {
		t.Run(c.program, func(t *testing.T) {
			r := start(t, context.Background(), func(cfg *Config) {
				cfg.Binds = []Bind{{Source: dir, Target: "/tools"}}
				cfg.Args = []string{c.program}
				cfg.Env = []string{"PATH=/usr/bin:/tools:relative::/nowhere"}
			})
			e := r.Exec
			if r.err != nil || e == nil || e.Path != c.path || e.NotFound() != c.notFound || !strings.Contains(e.Error(), c.message) {
				t.Fatalf("got %+v (%v), %v; want path %q, not found %v, %q", e, e, r.err, c.path, c.notFound, c.message)
			}
			if r.ExitCode != -1 || !errors.Is(e, e.Errno) {
				t.Errorf("exit code %d, errno %v", r.ExitCode, e.Errno)
			}
		})
	}
}

func TestSearchPathGoesOnAfterAFileThatMayNotBeExecuted(t *testing.T) {
	requireSandbox(t)
	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "tool"), "#!/bin/sh\necho first\n")
	write(t, filepath.Join(second, "tool"), "#!/bin/sh\necho second\n")
	if err := os.Chmod(filepath.Join(first, "tool"), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, context.Background(), func(cfg *Config) {
		cfg.Binds = []Bind{{Source: first, Target: "/first"}, {Source: second, Target: "/second"}}
		cfg.Args, cfg.Env = []string{"tool"}, []string{"PATH=/first:/second"}
	}).want(t, 0, "second")
}

func TestSetupAndTeardown(t *testing.T) {
	requireSandbox(t)
	both := func(setup, teardown string) func(*Config) {
		return func(cfg *Config) {
			cfg.Setup, cfg.Teardown = []string{"sh", "-c", setup}, []string{"sh", "-c", teardown}
		}
	}
	t.Run("in order, in one sandbox, output to the log", func(t *testing.T) {
		r := shell(t, "cat /tmp/f; echo two >>/tmp/f; exit 5", both("echo one >/tmp/f; echo set up", "cat /tmp/f; exit 9"))
		r.want(t, 5, "one")
		if r.log != "set up\none\ntwo\n" || !r.Setup.OK() || r.Teardown.ExitCode != 9 || r.Teardown.OK() {
			t.Errorf("log %q, set-up %+v, tear-down %+v", r.log, r.Setup, r.Teardown)
		}
	})
	t.Run("a failing set-up leaves the command out", func(t *testing.T) {
		r := shell(t, "echo ran", both("exit 3", "echo tear-down"))
		if r.out != "" || r.ExitCode != -1 || r.Setup.ExitCode != 3 || r.log != "tear-down\n" || r.err != nil {
			t.Errorf("got %+v, set-up %+v, output %q, log %q, %v", r.Status, r.Setup, r.out, r.log, r.err)
		}
	})
	t.Run("a set-up that is not there leaves the command out", func(t *testing.T) {
		r := shell(t, "echo ran", func(cfg *Config) { cfg.Setup = []string{"no-such-program"} })
		if r.out != "" || r.Setup == nil || r.Setup.Exec == nil || !r.Setup.Exec.NotFound() {
			t.Errorf("got %+v, set-up %+v, output %q", r.Status, r.Setup, r.out)
		}
	})
	t.Run("a tear-down follows a command that cannot be executed", func(t *testing.T) {
		r := shell(t, "", both("true", "echo tear-down"), func(cfg *Config) { cfg.Args = []string{"no-such-program"} })
		if r.Exec == nil || r.log != "tear-down\n" {
			t.Errorf("got %+v, log %q", r.Status, r.log)
		}
	})
	t.Run("what a set-up leaves running is gone", func(t *testing.T) {
		shell(t, "echo /proc/[0-9]*", both("sleep 100 & setsid sleep 100 &", "true")).want(t, 0, "/proc/5") // and process 1, which is not shown
	})
}

func TestTimeout(t *testing.T) {
	requireSandbox(t)
	short := func(cfg *Config) { cfg.Timeout, cfg.Grace = 50*time.Millisecond, 100*time.Millisecond }
	// A shell on a busy machine needs time for its trap.
	patient := func(cfg *Config) { cfg.Timeout, cfg.Grace = time.Second, time.Second }
	t.Run("a command that listens ends by SIGTERM", func(t *testing.T) {
		r := shell(t, "sleep 100", short)
		if !r.TimedOut || r.Signal != syscall.SIGTERM || r.Killed {
			t.Errorf("got %+v", r.Status)
		}
	})
	t.Run("one that does not by SIGKILL, with its tear-down", func(t *testing.T) {
		r := shell(t, "trap '' TERM; while :; do sleep 1; done", patient, func(cfg *Config) { cfg.Teardown = []string{"echo", "done"} })
		if !r.TimedOut || r.Signal != syscall.SIGKILL || r.log != "done\n" {
			t.Errorf("got %+v, log %q", r.Status, r.log)
		}
	})
	t.Run("the set-up does not count", func(t *testing.T) {
		r := shell(t, "exit 4", func(cfg *Config) {
			cfg.Timeout, cfg.Setup = time.Second, []string{"sleep", "1.1"}
		})
		if r.TimedOut || r.ExitCode != 4 {
			t.Errorf("got %+v", r.Status)
		}
	})
	t.Run("a tear-down that hangs after it is ended", func(t *testing.T) {
		r := shell(t, "sleep 100", short, func(cfg *Config) { cfg.Teardown = []string{"sh", "-c", "trap '' TERM; sleep 100"} })
		if !r.TimedOut || r.Teardown == nil || r.Teardown.Signal != syscall.SIGKILL {
			t.Errorf("got %+v, tear-down %+v", r.Status, r.Teardown)
		}
	})
}

func TestCancellation(t *testing.T) {
	requireSandbox(t)
	ready := filepath.Join(t.TempDir(), "ready")
	for name, script := range map[string]string{
		"a command that listens":  "touch /ready/ok; sleep 100",
		"a command that does not": "trap '' TERM; touch /ready/ok; while :; do sleep 1; done",
		"a command that stopped":  "touch /ready/ok; kill -STOP $$",
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(ready, 0o755); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				defer cancel()
				eventually(t, "the command runs", func() bool {
					_, err := os.Stat(filepath.Join(ready, "ok"))
					return err == nil
				})
			}()
			r := start(t, ctx, func(cfg *Config) {
				cfg.Args, cfg.Grace = []string{"sh", "-c", script}, 200*time.Millisecond
				cfg.Binds = []Bind{{Source: ready, Target: "/ready", Writable: true}}
				cfg.Teardown = []string{"rm", "/ready/ok"}
			})
			if !r.Killed || r.Signal == 0 || r.Teardown == nil || !r.Teardown.OK() || r.err != nil {
				t.Errorf("got %+v, tear-down %+v, %v", r.Status, r.Teardown, r.err)
			}
		})
	}
	t.Run("before the start", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if r := start(t, ctx, func(cfg *Config) { cfg.Args = []string{"true"} }); !r.Killed || r.ExitCode != -1 || r.err != nil {
			t.Errorf("got %+v, %v", r.Status, r.err)
		}
	})
	t.Run("during the set-up leaves the command out", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r := start(t, ctx, func(cfg *Config) {
			cfg.Args, cfg.Setup, cfg.Grace = []string{"echo", "ran"}, []string{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"}, 5*time.Second
		})
		if !r.Killed || r.out != "" || r.Setup == nil || !r.Setup.OK() {
			t.Errorf("got %+v, set-up %+v, output %q", r.Status, r.Setup, r.out)
		}
	})
}

func TestSignalsArePassedOn(t *testing.T) {
	requireSandbox(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	signals := make(chan os.Signal)
	go func() {
		_, _ = reader.Read(make([]byte, 1))
		signals <- syscall.SIGUSR2
	}()
	r := shell(t, "trap 'exit 12' USR2; echo ready; while :; do sleep 0.01; done", func(cfg *Config) { cfg.Stdout, cfg.Signals = writer, signals })
	if r.ExitCode != 12 {
		t.Errorf("got %+v, %v", r.Status, r.err)
	}
}

func TestMeasurements(t *testing.T) {
	requireSandbox(t)
	r := shell(t, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 0.05")
	if r.User < 5*time.Millisecond || r.MaxRSS < 500<<10 || r.Run < r.User || r.Run < 50*time.Millisecond || r.Prepare <= 0 || r.Prepare > time.Second {
		t.Errorf("got %+v", r.Status)
	}
}

func TestLargestFile(t *testing.T) {
	requireSandbox(t)
	r := shell(t, "head -c 100000 /dev/zero >/tmp/big", func(cfg *Config) { cfg.Limits.FileSize = 4096 })
	if r.ExitCode == 0 || r.err != nil || !slices.Equal(r.Struck, []Limit{LimitOutput}) {
		t.Errorf("a file over the limit: %+v, %v", r.Status, r.err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no command":       func(cfg *Config) { cfg.Args = nil },
		"NUL byte":         func(cfg *Config) { cfg.Env = []string{"A=\x00"} },
		"relative dir":     func(cfg *Config) { cfg.Dir = "src" },
		"relative private": func(cfg *Config) { cfg.Private = "src" },
		"relative target":  func(cfg *Config) { cfg.Binds = []Bind{{Source: "/usr", Target: "usr"}} },
		"unclean target":   func(cfg *Config) { cfg.Binds = []Bind{{Source: "/usr", Target: "/a/../b"}} },
		"relative source":  func(cfg *Config) { cfg.Binds = []Bind{{Source: "usr", Target: "/usr"}} },
		"the root":         func(cfg *Config) { cfg.Binds = []Bind{{Source: "/usr", Target: "/"}} },
		"its own proc":     func(cfg *Config) { cfg.Binds = []Bind{{Source: "/proc", Target: "/proc"}} },
		"one place twice":  func(cfg *Config) { cfg.Binds = []Bind{{Source: "/usr", Target: "/a"}, {Source: "/usr", Target: "/a"}} },
		"no layers":        func(cfg *Config) { cfg.Overlays = []Overlay{{Target: "/a"}} },
		"no work":          func(cfg *Config) { cfg.Overlays = []Overlay{{Target: "/a", Lowers: []string{"/usr"}, Upper: "/tmp"}} },
		"too many layers":  func(cfg *Config) { cfg.Overlays = []Overlay{{Target: "/a", Lowers: make([]string, 501)}} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Args: []string{"true"}}
			change(&cfg)
			if _, err := Run(context.Background(), cfg); !errors.Is(err, ErrConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSetupErrorsNameStagePathAndAdvice(t *testing.T) {
	requireSandbox(t)
	for name, c := range map[string]struct {
		change func(*Config)
		errno  syscall.Errno
		words  string
	}{
		"missing bind":      {func(cfg *Config) { cfg.Binds = []Bind{{Source: "/no/such", Target: "/a"}} }, syscall.ENOENT, "bind /no/such: no such file or directory; this host path does not exist"},
		"missing directory": {func(cfg *Config) { cfg.Dir = "/no/such" }, syscall.ENOENT, "enter the directory /no/such: no such file or directory; the working directory"},
		"read-only place":   {func(cfg *Config) { cfg.Binds = []Bind{{Source: "/etc", Target: "/usr/no/such"}} }, syscall.EROFS, "/usr/no/such: read-only file system; the directory that should hold"},
		"missing layer":     {func(cfg *Config) { cfg.Overlays = []Overlay{{Target: "/a", Lowers: []string{"/no/such", "/usr"}}} }, syscall.ENOENT, "a layer is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := shell(t, "echo ran", c.change)
			var failure *SetupError
			if !errors.As(r.err, &failure) || failure.Errno != c.errno || !strings.Contains(r.err.Error(), c.words) || r.out != "" {
				t.Fatalf("got %v, output %q; want %v, %q", r.err, r.out, c.errno, c.words)
			}
			if failure.Overlay() != (name == "missing layer") {
				t.Errorf("about an overlay: %v", failure.Overlay())
			}
		})
	}
}
