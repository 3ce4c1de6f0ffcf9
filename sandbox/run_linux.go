//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// Run makes a sandbox, runs the set-up, the command and the tear-down of cfg
// in it, and returns when none of their processes is left. Process 1, which runs
// no program, may still be taking its mounts down then.
//
// A failing set-up leaves the command out. A tear-down runs whenever a set-up
// or the command was started, and changes nothing in the status of these. When
// ctx is cancelled, what is running gets SIGTERM and, after the grace, SIGKILL;
// the tear-down still gets that long. So Run returns in bounded time. A tear-down that
// hangs ends in the same way when its time is up, see [Config.Timeout].
//
// The error is a *SetupError when the sandbox could not be made, ErrConfig when
// cfg makes no sense, or ErrLost. A command that fails, or that cannot be
// executed, is not an error of Run: see [Status].
func Run(ctx context.Context, cfg Config) (Status, error) {
	status, began := Status{ExitCode: -1}, monotonic()
	if ctx.Err() != nil {
		status.Killed = true
		return status, nil
	}
	if err := cfg.validate(); err != nil {
		return status, err
	}
	ahead, err := begin(&cfg, cfg.view, cfg.targets())
	if err != nil {
		return status, err
	}
	return ahead.run(ctx, cfg, began)
}

// alarm is what the clock of a supervisor is set for.
type alarm uint8

const (
	alarmNone     alarm = iota
	alarmTimeout        // the command has used up its time
	alarmTeardown       // the tear-down has
	alarmKill           // the grace after SIGTERM is over
	alarmDestroy        // even SIGKILL did not end it
	alarmLinger         // the stage has ended, and SIGKILL does not end others of it
)

// supervisor turns what happens into requests to process 1 and into a status.
type supervisor struct {
	cfg     *Config
	plan    *program
	box     *box
	limits  guard
	status  Status
	failure error
	began   int64 // monotonic nanoseconds, as all times from records
	clock   *time.Timer
	alarm   alarm
	last    record // the end of the stage that lingers
	ending  bool   // SIGTERM was sent
	over    bool   // the command has ended, or never will start
	late    bool   // the tear-down has used up its time
}

// supervise returns when process 1 has reported the last stage, or is gone.
func (s *supervisor) supervise(ctx context.Context) error {
	records := make(chan record, stageCount)
	go func() {
		defer close(records)
		for {
			r, ok := s.box.read()
			if !ok {
				return
			}
			records <- r
		}
	}()
	cancelled, signals := ctx.Done(), s.cfg.Signals
	s.status.Loose, s.status.LooseCause = s.limits.loose, s.limits.cause
	for {
		select {
		case r, ok := <-records:
			if !ok {
				return s.verdict()
			}
			s.note(r)
			if s.complete() && !s.ending {
				s.clock.Stop()
				return s.failure
			}
		case signal, ok := <-signals:
			if !ok {
				signals = nil
			}
			s.pass(signal)
		case <-cancelled:
			cancelled = nil
			s.cancel()
		case <-s.clock.C:
			s.ring()
		case <-s.limits.ticks():
			s.check()
		case limit := <-s.cfg.Exceeded:
			s.strike(limit)
		}
	}
}

// verdict is the error of a run whose process 1 has ended.
func (s *supervisor) verdict() error {
	s.clock.Stop()
	if s.failure == nil && !s.complete() && !s.ending {
		return ErrLost
	}
	return s.failure
}

// complete reports whether the last word of process 1 has been heard. It speaks
// when it has reaped all others; the end of its socket comes later, when the
// kernel has taken its mounts down.
func (s *supervisor) complete() bool {
	return s.over && (s.status.Teardown != nil || s.plan.stages[stageTeardown].program == "")
}

// pass hands a signal on to what is running.
func (s *supervisor) pass(signal os.Signal) {
	if number, ok := signal.(syscall.Signal); ok {
		s.box.ask(request{requestSignal, uint32(number)})
	}
}

// cancel ends the run because the caller wants it to.
func (s *supervisor) cancel() {
	if s.alarm == alarmLinger {
		s.giveUp()
		return
	}
	s.status.Killed = !s.over
	s.box.ask(request{kind: requestSkip})
	s.end()
}

// end asks what is running to end, and sets the time until it has to.
func (s *supervisor) end() {
	s.ending = true
	s.pass(syscall.SIGTERM)
	s.pass(syscall.SIGCONT) // what is stopped would not hear of it
	s.set(alarmKill, s.cfg.grace())
}

func (s *supervisor) set(a alarm, after time.Duration) {
	s.alarm = a
	s.clock.Reset(after)
}

// ring acts on the alarm that has gone off.
func (s *supervisor) ring() {
	switch s.alarm {
	case alarmTimeout:
		s.status.TimedOut = true
		s.end()
	case alarmTeardown:
		s.late = true
		s.end()
	case alarmKill:
		s.box.ask(request{kind: requestKill})
		s.set(alarmDestroy, s.cfg.grace())
	case alarmDestroy:
		s.box.destroy()
	case alarmLinger:
		s.giveUp()
	}
}

// lingerFor is how long processes that a command leaves behind may take to end once
// they are killed. The kernel may have much of their memory to give back first, or
// wait for a disk.
const lingerFor = 10 * time.Second

// linger takes in that a stage has ended and that others of it are being killed. A
// run that is being ended has its own alarms.
func (s *supervisor) linger(r record) {
	if !s.ending {
		s.last = r
		s.set(alarmLinger, lingerFor)
	}
}

// giveUp leaves behind who cannot be killed. How the stage went is known.
func (s *supervisor) giveUp() {
	s.status.Left = s.box.left()
	s.exit(s.last)
	if s.last.stage == stageSetup {
		s.status.Setup.Lingers = true
	}
	s.over, s.ending = true, true
	s.box.destroy()
}

// note takes in what process 1 reports.
func (s *supervisor) note(r record) {
	switch r.kind {
	case recordFailed:
		s.failure = s.plan.setupError(r)
	case recordStarted:
		if r.stage == stageCommand && !s.ending {
			s.set(alarmTimeout, s.cfg.Timeout)
		}
	case recordNoStart:
		s.over = s.over || r.stage == stageCommand
		s.failure = errors.Join(s.failure, s.notStarted(r))
		s.awaitTeardown()
	case recordNoExec:
		s.outcome(r, StepStatus{ExitCode: -1, Exec: s.execError(r)})
	case recordExited:
		s.exit(r)
	case recordStopped:
		s.suspend(r)
	case recordLingers:
		s.linger(r)
	}
}

// setupError tells of the step of the plan that failed.
func (p *program) setupError(r record) *SetupError {
	failed := p.setup[r.index]
	return &SetupError{Stage: failed.stage, Path: failed.path, Errno: syscall.Errno(r.errno)}
}

// exit takes in the end of a stage.
func (s *supervisor) exit(r record) {
	if s.alarm == alarmTimeout || s.alarm == alarmLinger {
		s.clock.Stop()
		s.alarm = alarmNone
	}
	step := StepStatus{ExitCode: -1, Duration: time.Duration(r.clock - r.started)}
	if wait := syscall.WaitStatus(r.status); wait.Signaled() {
		step.Signal = wait.Signal()
	} else {
		step.ExitCode = wait.ExitStatus()
	}
	s.settle(r, step)
	s.outcome(r, step)
	if r.stage == stageCommand {
		s.endTerminal()
		s.status.MaxRSS = r.maxRSS << 10
		s.status.User = time.Duration(r.user) * time.Microsecond
		s.status.System = time.Duration(r.system) * time.Microsecond
	}
}

// outcome puts how a stage went into the status.
func (s *supervisor) outcome(r record, step StepStatus) {
	s.status.Prepare = time.Duration(r.ready - s.began)
	if s.ending {
		s.set(alarmKill, s.cfg.grace()) // for a tear-down that follows
	}
	switch r.stage {
	case stageSetup:
		s.status.Setup = &step
		s.over = !step.OK()
	case stageTeardown:
		step.TimedOut = s.late
		s.status.Teardown = &step
		return
	default:
		s.over = true
		s.status.ExitCode, s.status.Signal, s.status.Exec, s.status.Run = step.ExitCode, step.Signal, step.Exec, step.Duration
	}
	s.awaitTeardown()
}

// awaitTeardown sets the time for a tear-down that follows now. Whoever has cancelled
// the run waits for no more than the grace, which is set already.
func (s *supervisor) awaitTeardown() {
	patience := s.cfg.patience()
	if s.over && patience > 0 && !s.status.Killed && s.status.Teardown == nil && s.plan.stages[stageTeardown].program != "" {
		s.set(alarmTeardown, patience)
	}
}

func (s *supervisor) execError(r record) *ExecError {
	stage := &s.plan.stages[r.stage]
	e := &ExecError{Program: stage.program, MissingInterpreter: r.missing != 0, Errno: syscall.Errno(r.errno)}
	if !e.NotFound() && int(r.index) < len(stage.files) {
		e.Path = stage.files[r.index]
	}
	return e
}
