package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The [Directory] of systems that are not Linux. It needs nothing but processes
// and their groups, and is tested on Linux too.

// group is a run of this kind: one process group after the other.
type group struct {
	cfg    *Config
	status Status
	clock  *time.Timer
	ending bool // SIGTERM was sent
	killed bool // and SIGKILL
}

// runPortable is [Run] for a directory.
func runPortable(ctx context.Context, cfg Config) (Status, error) {
	began := time.Now()
	g := &group{cfg: &cfg, status: Status{ExitCode: -1}, clock: time.NewTimer(time.Hour)}
	if ctx.Err() != nil {
		g.status.Killed = true
		return g.status, nil
	}
	if err := cfg.validate(); err != nil {
		return g.status, err
	}
	if err := makePrivate(cfg.Private); err != nil {
		return g.status, err
	}
	if _, err := os.Stat(cfg.Dir); err != nil {
		return g.status, hostError(stageDir, cfg.Dir, err)
	}
	g.status.Loose = cfg.Limits.given()
	g.status.Prepare = time.Since(began)
	return g.status, g.stages(ctx)
}

// stages runs set-up, command and tear-down.
func (g *group) stages(ctx context.Context) error {
	if len(g.cfg.Setup) > 0 {
		step, err := g.step(ctx, g.cfg.Setup)
		if g.status.Setup = step; err != nil {
			return err
		}
	}
	if g.status.Setup == nil || g.status.Setup.OK() && !g.ending {
		if err := g.command(ctx); err != nil {
			return err
		}
	}
	if len(g.cfg.Teardown) == 0 {
		return nil
	}
	return g.teardown(ctx)
}

// teardown runs the tear-down for as long as it may take.
func (g *group) teardown(outer context.Context) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(outer))
	defer cancel(nil)
	late := errors.New("the tear-down took too long")
	switch patience := g.cfg.patience(); {
	case g.status.Killed || g.ending && patience == 0:
		defer time.AfterFunc(g.cfg.grace(), func() { cancel(nil) }).Stop()
	default:
		defer context.AfterFunc(outer, func() { cancel(nil) })()
		if patience > 0 {
			defer time.AfterFunc(patience, func() { cancel(late) }).Stop()
		}
	}
	g.ending, g.killed = false, false
	before := g.status
	step, err := g.step(ctx, g.cfg.Teardown)
	if step != nil {
		step.TimedOut = g.ending && errors.Is(context.Cause(ctx), late)
	}
	before.Teardown = step
	g.status = before // what strikes now is the tear-down's own failure
	return err
}

// step runs a set-up or a tear-down.
func (g *group) step(ctx context.Context, args []string) (*StepStatus, error) {
	step, _, err := g.live(ctx, args, &os.ProcAttr{Files: g.cfg.files(nil, g.cfg.Log, g.cfg.Log), Sys: &syscall.SysProcAttr{Setsid: true}}, 0)
	return step, err
}

// command runs the command itself.
func (g *group) command(ctx context.Context) error {
	how := &syscall.SysProcAttr{Setsid: true}
	if g.cfg.Terminal {
		how = &syscall.SysProcAttr{Foreground: true, Ctty: int(g.cfg.Stdin.Fd())}
		defer g.takeTerminal()
	}
	files := g.cfg.files(g.cfg.Stdin, g.cfg.Stdout, g.cfg.Stderr)
	step, used, err := g.live(ctx, g.cfg.Args, &os.ProcAttr{Files: files, Sys: how}, g.cfg.Timeout)
	if err != nil {
		return err
	}
	s := &g.status
	s.ExitCode, s.Signal, s.Exec, s.Run = step.ExitCode, step.Signal, step.Exec, step.Duration
	if used != nil {
		s.User, s.System = used.UserTime(), used.SystemTime()
		s.MaxRSS = maxRSS(used)
	}
	if limit := g.cfg.Limits.CPUTime; limit > 0 && (step.Signal == syscall.SIGXCPU || s.User+s.System >= limit) {
		g.struck(LimitCPUTime)
	}
	if g.cfg.Limits.FileSize > 0 && (step.Signal == syscall.SIGXFSZ || step.ExitCode == 128+int(syscall.SIGXFSZ)) {
		g.struck(LimitOutput)
	}
	return nil
}

// live runs one stage until its process has ended, and ends its group.
func (g *group) live(ctx context.Context, args []string, how *os.ProcAttr, timeout time.Duration) (*StepStatus, *os.ProcessState, error) {
	defer closeNull(how.Files)
	how.Dir, how.Env = g.cfg.Dir, g.cfg.Env
	started := time.Now()
	process, failed := execute(g.cfg, args, how)
	if failed != nil {
		return &StepStatus{ExitCode: -1, Exec: failed}, nil, nil
	}
	ended := make(chan *os.ProcessState, 1)
	go func() {
		state, _ := process.Wait() // of a child that nobody else waits for
		ended <- state
	}()
	state := g.watch(ctx, process.Pid, ended, timeout)
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL) // whoever is left in the group
	if state == nil {
		return nil, nil, ErrLost
	}
	step := &StepStatus{ExitCode: state.ExitCode(), Duration: time.Since(started)}
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		step.ExitCode, step.Signal = -1, wait.Signal()
	}
	return step, state, nil
}

// watch passes on what comes until the process has ended.
func (g *group) watch(ctx context.Context, pid int, ended <-chan *os.ProcessState, timeout time.Duration) *os.ProcessState {
	g.clock.Stop()
	if timeout > 0 {
		g.clock.Reset(timeout)
	}
	cancelled, signals := ctx.Done(), g.cfg.Signals
	for {
		select {
		case state := <-ended:
			return state
		case passed, ok := <-signals:
			if number, isNumber := passed.(syscall.Signal); isNumber {
				_ = syscall.Kill(-pid, number)
			}
			if !ok {
				signals = nil
			}
		case <-cancelled:
			cancelled = nil
			g.status.Killed = true
			g.end(pid)
		case limit := <-g.cfg.Exceeded:
			g.struck(limit)
			g.ending = true
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		case <-g.clock.C:
			g.ring(pid)
		}
	}
}

// ring is the end of the time-out, or of the grace after it.
func (g *group) ring(pid int) {
	if g.ending {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		return
	}
	g.status.TimedOut = true
	g.end(pid)
}

// end asks the group to end, and sets the time until it has to.
func (g *group) end(pid int) {
	g.ending = true
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	_ = syscall.Kill(-pid, syscall.SIGCONT)
	g.clock.Reset(g.cfg.grace())
}

func (g *group) struck(limit Limit) {
	if !slices.Contains(g.status.Struck, limit) {
		g.status.Struck = append(g.status.Struck, limit)
	}
}

// takeTerminal makes the group of this process the foreground group again.
func (g *group) takeTerminal() {
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	// Nothing can be done where it fails: the terminal is gone then.
	_ = unix.IoctlSetPointerInt(int(g.cfg.Stdin.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
}

// files are the standard files of a stage, /dev/null for those that are nil.
func (cfg *Config) files(files ...*os.File) []*os.File {
	for i, file := range files {
		if file == nil {
			files[i], _ = os.OpenFile(os.DevNull, os.O_RDWR, 0) // else the stage has it closed
		}
	}
	return files
}

func closeNull(files []*os.File) {
	for _, file := range files {
		if file != nil && file.Name() == os.DevNull {
			file.Close()
		}
	}
}

// execute starts the first file that the name means. One that can be found and
// not executed counts only when nothing better follows, as along a PATH anywhere.
func execute(cfg *Config, args []string, how *os.ProcAttr) (*os.Process, *ExecError) {
	failed := &ExecError{Program: args[0], Errno: syscall.ENOENT}
	for _, file := range candidates(args[0], cfg.Env) {
		at := file
		if !filepath.IsAbs(at) {
			at = filepath.Join(cfg.Dir, at)
		}
		if _, err := os.Stat(at); err != nil {
			continue
		}
		program, argv := cfg.Limits.wrap(at, args)
		process, err := os.StartProcess(program, argv, how)
		if err == nil {
			return process, nil
		}
		errno, _ := hostError(stageChild, file, err).(*SetupError)
		if errno == nil || failed.Path != "" && errno.Errno == syscall.EACCES {
			continue
		}
		failed.Path, failed.Errno, failed.MissingInterpreter = file, errno.Errno, errno.Errno == syscall.ENOENT
	}
	return nil, failed
}

// wrap has a shell set resource limits, where there are some: there is no other
// way to set those of another process. What cannot be executed is seen before.
func (l Limits) wrap(file string, args []string) (string, []string) {
	if l == (Limits{}) || unix.Access(file, unix.X_OK) != nil {
		return file, args
	}
	var script strings.Builder
	for option, value := range map[string]uint64{
		"t": uint64((l.CPUTime + time.Second - 1) / time.Second), "f": (l.FileSize + 511) / 512,
		"v": l.Memory >> 10, "u": l.Processes,
	} {
		if value > 0 {
			fmt.Fprintf(&script, "ulimit -%s %d 2>/dev/null\n", option, value)
		}
	}
	script.WriteString(`exec "$0" "$@"`)
	return "/bin/sh", append([]string{"sh", "-c", script.String(), file}, args[1:]...)
}

// given lists the limits that hold for each process alone.
func (l Limits) given() []Limit {
	var list []Limit
	if l.Memory > 0 {
		list = append(list, LimitMemory)
	}
	if l.Processes > 0 {
		list = append(list, LimitProcesses)
	}
	if l.CPUTime > 0 {
		list = append(list, LimitCPUTime)
	}
	return list
}

// maxRSS is in bytes, which is what everybody but Linux counts in.
func maxRSS(state *os.ProcessState) int64 {
	used, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return used.Maxrss
}
