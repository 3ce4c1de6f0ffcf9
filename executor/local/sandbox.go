package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/executor"
	"larder/executor/action"
	"larder/sandbox"
)

// SetupFailed says that the set-up command of the user failed, so that the
// command was not run.
type SetupFailed struct {
	Status sandbox.StepStatus
	Said   string            // the end of its output
	Limits []string          // those that struck while it ran
	Left   []sandbox.Remnant // who could not be ended after it
}

// Error gives how it ended and what it said.
func (e *SetupFailed) Error() string {
	text := "the set-up command " + ending(e.Status) + "; the command was not run"
	if e.Status.Exec != nil {
		text = fmt.Sprintf("the set-up command could not be started (%v); the command was not run", e.Status.Exec)
	}
	if e.Status.Lingers {
		text = remnants(e.Left) + " of the set-up command" + isStillThere + "; the command was not run; try again when it answers"
	}
	if len(e.Limits) > 0 {
		text = fmt.Sprintf("the set-up command went over a limit (%s); the command was not run; raise --%s", strings.Join(e.Limits, ", "), strings.Replace(e.Limits[0], "output", "output-limit", 1))
	}
	if said := strings.TrimSpace(e.Said); said != "" {
		text += "; it said:\n" + said
	}
	return text
}

// ending says how a step ended that failed.
func ending(step sandbox.StepStatus) string {
	if step.Signal != 0 {
		return fmt.Sprintf("was ended by signal %d (%s)", step.Signal, step.Signal)
	}
	return fmt.Sprintf("failed with exit code %d", step.ExitCode)
}

// run starts the sandbox and waits until no process of the action is left.
func (a *attempt) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.logs.quota = newQuota(a.job.Action.Limits.Output)
	if err := a.logs.open(a.place.blobs, a.job.Streams); err != nil {
		return err
	}
	if a.job.Action.Setup != "" || a.job.Action.Teardown != "" {
		if err := a.logs.openSteps(a.folder.Path()); err != nil {
			return refuse(err)
		}
	}
	config, err := a.configure(ctx)
	if err != nil {
		return refuse(err)
	}
	a.config = config
	go a.logs.quota.watch(ctx)
	start := time.Now()
	if a.kind == sandbox.Directory {
		a.status, err = runInDirectory(ctx, config, a.folder.Path())
	} else {
		a.status, err = a.job.Surroundings.Handle.(scene).early.run(ctx, config)
		a.quiet = err == nil && !a.status.Stuck
	}
	a.logs.quota.root.Store(0)
	a.emitRun(start)
	if a.status.Stuck {
		cancel() // its output has no end
	}
	_ = a.logs.finish(ctx) // what it could not keep is told when it is committed
	if err != nil {
		return a.refuseSetup(err)
	}
	a.input = a.feed.unused()
	if err := a.judge(); err != nil {
		return err
	}
	a.blameDisk()
	return nil
}

// blameDisk: what a command writes goes to the disk of the store until the end,
// so one that failed may have failed for that.
func (a *attempt) blameDisk() {
	if a.result.Status == action.StatusOK || a.uncached {
		return
	}
	if err := caches.CheckRoom(a.place.layout.Root()); caches.IsDiskFault(err) {
		a.trouble("what the command wrote went to the disk of the store, which has no room left", err)
	}
}

// emitRun reports what the sandbox measured itself: making it, set-up included,
// and the command.
func (a *attempt) emitRun(start time.Time) {
	prepared := a.status.Prepare
	if a.status.Setup != nil {
		prepared += a.status.Setup.Duration
	}
	a.job.Emit(executor.Event{Step: action.StepSandbox, Start: start, Duration: prepared})
	a.job.Emit(executor.Event{Step: action.StepRun, Start: start.Add(prepared), Duration: a.status.Run})
}

func (a *attempt) configure(ctx context.Context) (sandbox.Config, error) {
	private, err := a.folder.Place(layers.PrivatePlace)
	if err != nil {
		return sandbox.Config{}, fmt.Errorf("make the private folders: %w", err)
	}
	seen := a.job.Surroundings.Handle.(scene).found
	toolBinds, err := a.toolBinds(seen)
	if err != nil {
		return sandbox.Config{}, err
	}
	wanted := a.job.Action
	a.logs.quota.begin(a.written(private))
	overlays, binds := a.mounts()
	others := slices.Concat(toolBinds, a.payloadBinds())
	streams := a.job.Streams
	stdout, stderr := a.logs.stdout.write, a.logs.stderr.write
	if streams.Direct != nil {
		stdout, stderr = streams.Direct, streams.Direct
	}
	return sandbox.Config{
		Binds: slices.Concat(binds, others), Overlays: overlays,
		Final:   a.runner.config.Final && len(others)+len(overlays)+len(a.checkouts) == 0,
		Private: private, Network: networkOf(wanted.Network), AllowUserns: wanted.Userns,
		Args: a.command(seen), Env: environment(wanted, seen.bins),
		Setup: shell(wanted.Setup), Teardown: shell(wanted.Teardown),
		Stdin: a.feed.given, Stdout: stdout, Stderr: stderr, Log: a.logs.steps,
		Terminal: streams.Input.Kind == executor.InputTerminal,
		Signals:  a.relay(ctx), Timeout: wanted.Timeout, Grace: a.runner.config.Grace,
		Limits: limitsOf(wanted.Limits), Exceeded: a.logs.quota.struck,
		Began: func(processOne int) {
			a.logs.quota.root.Store(int64(processOne))
			a.begun()
		},
	}, nil
}

// command is what runs.
func (a *attempt) command(seen found) []string {
	if len(a.job.Instead) > 0 {
		return a.job.Instead
	}
	return seen.command(a.job.Action.Argv)
}

// command names a program that was given by a path as it is on the host, which
// is where the sandbox has it.
func (f found) command(argv []string) []string {
	if f.program == "" || !strings.Contains(argv[0], "/") {
		return argv
	}
	return append([]string{f.program}, argv[1:]...)
}

// toolBinds shows each tool at its own place, and hides in it what the action
// is not to see.
func (a *attempt) toolBinds(seen found) ([]sandbox.Bind, error) {
	var binds []sandbox.Bind
	for _, t := range seen.visible {
		binds = append(binds, sandbox.Bind{Source: t.path, Target: t.path})
		for _, hidden := range t.hidden {
			empty, err := a.folder.Dir("hidden")
			if err != nil {
				return nil, fmt.Errorf("make an empty folder: %w", err)
			}
			binds = append(binds, sandbox.Bind{Source: empty, Target: hidden})
		}
	}
	return binds, nil
}

// relay passes signals on and notes those that ask for an end: whatever code the
// command then chooses, its answer and its caches are not those of a whole run.
func (a *attempt) relay(ctx context.Context) <-chan os.Signal {
	passed := make(chan os.Signal, 1)
	go func() {
		for {
			select {
			case signal := <-a.job.Signals:
				if asksForEnd(signal) {
					a.interrupted.Store(true)
				}
				select {
				case passed <- signal:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return passed
}

func asksForEnd(signal os.Signal) bool {
	switch signal {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		return true
	}
	return false
}

func networkOf(network action.Network) sandbox.Network {
	if network == action.NetworkHost {
		return sandbox.NetworkHost
	}
	return sandbox.NetworkNone
}

func shell(command string) []string {
	if command == "" {
		return nil
	}
	return []string{"/bin/sh", "-c", command}
}

// environment is what the command gets and nothing else: the variables of the
// request over a few fixed ones.
func environment(wanted *action.Action, bins []string) []string {
	fixed := map[string]string{
		"HOME": sandbox.HomeDir, "USER": sandbox.UserName, "LOGNAME": sandbox.UserName,
		"TMPDIR": tempDir, "LANG": "C.UTF-8", "PATH": systemPath,
	}
	for _, variable := range wanted.Env {
		fixed[variable.Name] = variable.Value
	}
	fixed["PATH"] = strings.Join(append(slices.Clone(bins), fixed["PATH"]), ":")
	var env []string
	for name, value := range fixed {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

const tempDir = "/tmp"

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
