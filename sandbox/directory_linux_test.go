//go:build amd64 || arm64

package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ways are the two that there are to run in a directory: that of Linux, and the
// one of all other systems.
func ways() map[string]func(context.Context, Config) (Status, error) {
	return map[string]func(context.Context, Config) (Status, error){"linux": Run, "portable": runPortable}
}

// inDirectory runs script in a directory of its own, in one way.
func inDirectory(t testing.TB, way string, script string, adjust ...func(*Config)) result {
	t.Helper()
	out, log := scratch(t), scratch(t)
	cfg := Config{
		Isolation: Directory, Dir: t.TempDir(), Args: []string{"sh", "-c", script},
		Env: []string{"PATH=/usr/bin:/bin"}, Stdout: out, Stderr: out, Log: log,
	}
	for _, change := range adjust {
		change(&cfg)
	}
	status, err := ways()[way](context.Background(), cfg)
	return result{status, content(t, out), content(t, log), err}
}

// bothWays runs a test in each of the ways.
func bothWays(t *testing.T, test func(t *testing.T, way string)) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

func TestDirectoryIsWhereTheCommandRuns(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		dir, private := t.TempDir(), t.TempDir()
		at := func(cfg *Config) {
			cfg.Dir, cfg.Private = dir, private
			cfg.Env = append(cfg.Env, "HOME="+private+"/home", "TMPDIR="+private+"/tmp")
		}
		inDirectory(t, way, "pwd; umask; echo x > made; touch $HOME/a $TMPDIR/b", at).want(t, 0, dir+"\n0022")
		for _, file := range []string{dir + "/made", private + "/home/a", private + "/tmp/b"} {
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		}
		inDirectory(t, way, "env | grep -v -e ^PWD= -e ^_= -e SHLVL -e OLDPWD | sort", at).want(t, 0, fmt.Sprintf("HOME=%s/home\nPATH=/usr/bin:/bin\nTMPDIR=%s/tmp", private, private))
	})
}

func TestDirectoryHasNoPrivileges(t *testing.T) {
	inDirectory(t, "linux", "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status").want(t, 0, "CapEff:\t0000000000000000\nNoNewPrivs:\t1")
	inDirectory(t, "linux", "ulimit -n; ulimit -c; ls /proc/self/fd | tr '\\n' ' '").want(t, 0, "1024\n0\n0 1 2 3")
}

// Process 1 may have privileges that the command has not, as those of root.
func TestDirectoryKeepsTheMemoryOfTheCaller(t *testing.T) {
	script := "exec 2>/dev/null; for file in mem environ maps; do (: </proc/$PPID/$file) && echo $file; done; true"
	for name, limits := range map[string]Limits{"plain": {}, "memory": {Memory: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			inDirectory(t, "linux", script, func(cfg *Config) { cfg.Limits = limits }).want(t, 0, "")
			inDirectory(t, "linux", script, func(cfg *Config) {
				cfg.Args, cfg.Setup = []string{"true"}, []string{"sh", "-c", script}
				cfg.Log, cfg.Limits = cfg.Stdout, limits
			}).want(t, 0, "")
		})
	}
}

func TestDirectoryExitCodesAndSignals(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		inDirectory(t, way, "exit 37").want(t, 37, "")
		if r := inDirectory(t, way, "kill -USR1 $$"); r.Signal != syscall.SIGUSR1 || r.ExitCode != -1 || r.err != nil {
			t.Errorf("killed by SIGUSR1: got %+v, %v", r.Status, r.err)
		}
	})
}

func TestDirectoryProgramThatCannotBeExecuted(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"plain": "echo\n", "lost": "#!/no/such/shell\n"} {
			write(t, filepath.Join(dir, name), text)
		}
		if err := os.Chmod(filepath.Join(dir, "plain"), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]ExecError{
			"no-such-program": {Errno: syscall.ENOENT}, "./nothing": {Errno: syscall.ENOENT},
			"./plain": {Errno: syscall.EACCES}, "./lost": {Errno: syscall.ENOENT, MissingInterpreter: true},
		} {
			for _, limits := range []Limits{{}, {CPUTime: time.Minute}} {
				if way == "portable" && want.MissingInterpreter && limits != (Limits{}) {
					continue // a shell that sets the limits answers with code 127
				}
				r := inDirectory(t, way, "", func(cfg *Config) { cfg.Dir, cfg.Args, cfg.Limits = dir, []string{name}, limits })
				if r.err != nil || r.Exec == nil || r.Exec.Errno != want.Errno || r.Exec.MissingInterpreter != want.MissingInterpreter {
					t.Errorf("%s: got %+v, %v; want %+v", name, r.Exec, r.err, want)
				}
			}
		}
	})
}

func TestDirectorySetupAndTeardown(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		steps := func(setup string) func(*Config) {
			return func(cfg *Config) {
				cfg.Setup, cfg.Teardown = []string{"sh", "-c", setup}, []string{"sh", "-c", "echo down; cat file; exit 3"}
			}
		}
		r := inDirectory(t, way, "cat file; echo more >> file; exit 5", steps("echo up; echo text > file"))
		r.want(t, 5, "text")
		if r.log != "up\ndown\ntext\nmore\n" || !r.Setup.OK() || r.Teardown.ExitCode != 3 {
			t.Errorf("log %q, set-up %+v, tear-down %+v", r.log, r.Setup, r.Teardown)
		}
		r = inDirectory(t, way, "echo ran", steps("exit 9"))
		if r.out != "" || r.Setup.ExitCode != 9 || r.Teardown == nil || r.ExitCode != -1 {
			t.Errorf("after a set-up that failed: %q, %+v", r.out, r.Status)
		}
	})
}

func TestDirectoryTimeoutAndCancellation(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		short := func(cfg *Config) { cfg.Timeout, cfg.Grace = time.Second, time.Second } // a shell on a busy machine needs time for its trap
		down := func(cfg *Config) { cfg.Teardown = []string{"sh", "-c", "echo down"} }
		r := inDirectory(t, way, "trap '' TERM; while :; do sleep 0.01; done", short, down)
		if !r.TimedOut || r.Signal != syscall.SIGKILL || r.err != nil || r.log != "down\n" {
			t.Errorf("a command that does not heed SIGTERM: %+v, %v, log %q", r.Status, r.err, r.log)
		}
		inDirectory(t, way, "trap 'echo bye; exit 4' TERM; while :; do sleep 0.01; done", func(cfg *Config) { cfg.Timeout, cfg.Stderr = time.Second, nil }).want(t, 4, "bye")
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGHUP
		if r := inDirectory(t, way, "sleep 60", func(cfg *Config) { cfg.Signals = signals }); r.Signal != syscall.SIGHUP {
			t.Errorf("a signal that is passed on: %+v, %v", r.Status, r.err)
		}
		exceeded := make(chan Limit, 1)
		exceeded <- LimitOutput
		if r := inDirectory(t, way, "sleep 60", func(cfg *Config) { cfg.Exceeded = exceeded }); !slices.Equal(r.Struck, []Limit{LimitOutput}) || r.Signal != syscall.SIGKILL {
			t.Errorf("a limit of the caller: %+v, %v", r.Status, r.err)
		}
	})
}

func TestDirectoryCancelledContext(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithCancel(context.Background())
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		go func() {
			_, _ = bufio.NewReader(read).ReadString('\n')
			cancel()
		}()
		cfg := Config{Isolation: Directory, Dir: t.TempDir(), Args: []string{"/bin/sh", "-c", "echo up; exec sleep 60"}, Stdout: write}
		status, err := ways()[way](ctx, cfg)
		write.Close()
		if !status.Killed || status.Signal != syscall.SIGTERM || err != nil {
			t.Errorf("cancelled: %+v, %v", status, err)
		}
	})
}

func TestDirectoryLeavesNoProcess(t *testing.T) {
	for name, script := range map[string]string{
		"background": "sleep %s &", "session": "setsid sleep %s & sleep 0.05",
		"double fork": "(setsid sh -c 'sleep %s & sleep %[1]s' &) & sleep 0.05", "stopped": "setsid sleep %s & pid=$!; sleep 0.05; kill -STOP $pid",
		"term ignored": "(trap '' TERM HUP; setsid sleep %s) & sleep 0.05",
	} {
		t.Run(name, func(t *testing.T) {
			mark := fmt.Sprintf("7777.%d%d", os.Getpid(), time.Now().UnixNano())
			inDirectory(t, "linux", fmt.Sprintf(script, mark)).want(t, 0, "")
			if left := marked(t, mark); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	mark := fmt.Sprintf("7777.%d%d", os.Getpid(), time.Now().UnixNano())
	inDirectory(t, "portable", "sleep "+mark+" & sleep "+mark+" &").want(t, 0, "")
	eventually(t, "the group is gone", func() bool { return len(marked(t, mark)) == 0 })
}

func TestDirectoryEndsManyProcesses(t *testing.T) {
	mark := fmt.Sprintf("5555.%d%d", os.Getpid(), time.Now().UnixNano())
	began := time.Now()
	r := inDirectory(t, "linux", "n=0; while [ $n -lt 200 ]; do (sh -c 'setsid sleep "+mark+" & sleep "+mark+"' &) ; n=$((n+1)); done; echo ok")
	r.want(t, 0, "ok")
	if left := marked(t, mark); len(left) > 0 || time.Since(began) > 30*time.Second {
		t.Errorf("%d left after %v", len(left), time.Since(began))
	}
}

func TestDirectoryEndsWithItsCaller(t *testing.T) {
	mark := fmt.Sprintf("6666.%d%d", os.Getpid(), time.Now().UnixNano())
	cmd := outside(t, "supervise", "(setsid sleep "+mark+" &); echo ready; exec sleep "+mark, "directory")
	cmd.Dir = t.TempDir()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "every process is gone", func() bool { return len(marked(t, mark)) == 0 })
}

func TestDirectoryLimits(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		r := inDirectory(t, way, "while :; do :; done", func(cfg *Config) { cfg.Limits.CPUTime = 300 * time.Millisecond })
		if r.err != nil || !slices.Contains(r.Struck, LimitCPUTime) || r.ExitCode == 0 {
			t.Errorf("processor time: %+v, %v", r.Status, r.err)
		}
		r = inDirectory(t, way, "exec head -c 200000 /dev/zero > big", func(cfg *Config) { cfg.Limits.FileSize = 100 << 10 })
		if r.err != nil || !slices.Contains(r.Struck, LimitOutput) {
			t.Errorf("file size: %+v, %v", r.Status, r.err)
		}
	})
}

func TestDirectoryRefusesMountsAndNoPlace(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		for what, change := range map[string]func(*Config){
			"no mounts":         func(cfg *Config) { cfg.Binds = []Bind{{Source: "/usr", Target: "/x"}} },
			"takes the":         func(cfg *Config) { cfg.Dir = "" },
			"does not exist in": func(cfg *Config) { cfg.Dir = "/no/such/place" },
		} {
			if r := inDirectory(t, way, "true", change); r.err == nil || !strings.Contains(r.err.Error(), what) {
				t.Errorf("%s: %v", what, r.err)
			}
		}
	})
}
