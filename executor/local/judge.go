package local

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"larder/executor/action"
	"larder/sandbox"
)

// judge turns what the sandbox saw into the status of the result.
func (a *attempt) judge() error {
	status, result := a.status, a.result
	result.Resources = action.Resources{
		MaxRSSBytes: status.MaxRSS, UserMS: status.User.Milliseconds(), SystemMS: status.System.Milliseconds(),
	}
	a.judgeLimits()
	if status.Setup != nil && !status.Setup.OK() && !status.Killed {
		return &SetupFailed{*status.Setup, a.logs.said(), result.LimitsHit, status.Left}
	}
	if status.Exec != nil {
		return status.Exec
	}
	if t := status.Teardown; t != nil && !t.OK() {
		warning := "the tear-down command " + ending(*t)
		if t.TimedOut {
			warning = fmt.Sprintf("the tear-down command took longer than it may, --timeout (%v) or the time of grace if that is more, and was ended; see why it hangs, or raise the limit", a.job.Action.Timeout)
		}
		if said := strings.TrimSpace(a.logs.said()); said != "" {
			warning += ": " + said
		}
		a.warn("%s", warning)
	}
	result.ExitCode, result.Signal = status.ExitCode, int(status.Signal)
	a.judgeEnd()
	return nil
}

// judgeEnd finds the status, and the exit code where the command's own says less.
func (a *attempt) judgeEnd() {
	status, result := a.status, a.result
	switch {
	case status.TimedOut:
		result.Status, result.ExitCode = action.StatusTimeout, 124
	case len(result.LimitsHit) > 0:
		result.Status = action.StatusLimit
		// Of a command that ended well all the same, something was cut off.
		if result.ExitCode <= 0 {
			result.ExitCode = 128 + int(cmp.Or(status.Signal, syscall.SIGKILL))
		}
	case status.Killed:
		result.Status = action.StatusKilled
		if status.ExitCode < 0 {
			result.ExitCode = 128 + int(cmp.Or(status.Signal, syscall.SIGTERM))
		}
	case status.Signal != 0:
		result.Status, result.ExitCode = action.StatusKilled, 128+int(status.Signal)
	case a.interrupted.Load():
		result.Status = action.StatusKilled
	case status.ExitCode != 0:
		result.Status = action.StatusFailed
	default:
		result.Status = action.StatusOK
	}
}

// limitsOf gives the limits that the sandbox itself holds an action to. A file can
// become a little larger than all may be together, so that one at which a
// command stopped, whatever it made of the error, is seen to be too large.
func limitsOf(l action.Limits) sandbox.Limits {
	limits := sandbox.Limits{Memory: uint64(l.Memory), Processes: uint64(l.Pids), CPUTime: l.CPUTime}
	if l.Output > 0 {
		limits.FileSize = uint64(l.Output) + 1
	}
	return limits
}

// judgeLimits names the limits that struck, and warns of those that hold less
// than they say.
func (a *attempt) judgeLimits() {
	for _, limit := range a.status.Struck {
		a.hit(string(limit))
	}
	if a.logs.quota.broken() {
		a.hit(action.LimitOutput)
	}
	if a.status.TimedOut {
		a.hit(action.LimitTimeout)
	}
	if a.status.Stuck && (a.status.Setup == nil || !a.status.Setup.Lingers) {
		a.warn("%s of the command%s%s", remnants(a.status.Left), isStillThere, a.givenUp())
	}
	for _, limit := range a.status.Loose {
		text := looseText(limit)
		if cause := a.status.LooseCause; cause != nil {
			text += " (" + cause.Error() + ")"
		}
		a.warn("%s; larder doctor says what it takes", text)
	}
}

const isStillThere = " was killed and is still there: it waits in the kernel, mostly for a network share that does not answer, and ends when that does"

// remnants names who cannot be ended.
func remnants(left []sandbox.Remnant) string {
	if len(left) == 0 {
		return "a process"
	}
	var names []string
	for _, one := range left[:min(len(left), 5)] {
		waits := ""
		if one.Waits != "" {
			waits = ", in " + one.Waits
		}
		names = append(names, fmt.Sprintf("%d (%s%s)", one.PID, one.Command, waits))
	}
	return "process " + strings.Join(names, ", ")
}

// givenUp says what a run does without whose private layers somebody may still
// write to.
func (a *attempt) givenUp() string {
	if len(a.checkouts) > 0 {
		return "; it may write until then, so no cache was updated and the result was not kept"
	}
	return "; it may write until then, so the result was not kept"
}

func (a *attempt) hit(limit string) {
	if !slices.Contains(a.result.LimitsHit, limit) {
		a.result.LimitsHit = append(a.result.LimitsHit, limit)
	}
}

// looseText says what a limit means without a control group.
func looseText(limit sandbox.Limit) string {
	const reason = "since there is no control group for it here"
	switch limit {
	case sandbox.LimitMemory:
		return "--memory held for each process alone and not for all together, " + reason + ": one that asks for more is refused it, and no limit is reported"
	case sandbox.LimitProcesses:
		return "--pids held only as far as the kernel counts the processes of a user, which for root it does not, " + reason + ": one more cannot be started, and no limit is reported"
	}
	return "--cpu-time held for each process alone, in whole seconds, and not for all together, " + reason
}
