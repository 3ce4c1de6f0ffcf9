package local

import (
	"context"

	"larder/executor/action"
	"larder/sandbox"
)

// early makes a sandbox while the inputs are looked at: what all actions have in
// common takes as long as the rest of it, and forking a process takes the longer
// the more that process has in memory.
type early struct {
	pool    *sandbox.Pool // that it comes from, or nil
	network sandbox.Network
	host    action.Host
	userns  bool
	limits  sandbox.Limits
	action  *action.Action
	begun   bool
	chosen  isolation // of an action that was begun by Begin
	ahead   *sandbox.Ahead
}

// Begin starts to make the sandbox of an action that will be run for certain: its
// answer is not looked for. What is left to do for the next [Runner.Describe] of
// that action then goes on beside it. A sandbox that no Describe follows stays
// until the process ends. What was foreseen, which may be nil, is the beginning of
// it, or is given up.
func (r *Runner) Begin(a *action.Action, foreseen *Foreseen) {
	chosen, err := r.choose(a)
	if err != nil || chosen.kind != sandbox.Namespaces {
		foreseen.Drop()
		return
	}
	early := r.newEarly(a)
	early.chosen = chosen
	early.adopt(foreseen)
	early.begin()
	r.begun.Store(early)
}

// Foreseen is the sandbox of an action that is not known yet.
type Foreseen struct{ early *early }

// Foresee begins to make a sandbox for an action that will be run for certain, when
// all that is known of it is its network and what it sees of the host. It is of
// use for [Runner.Begin] if the action has no limits, and no user namespaces.
func Foresee(network action.Network, host action.Host) *Foreseen {
	early := aloneFor(&action.Action{Network: network, Host: host})
	early.begin()
	return &Foreseen{early}
}

// Drop gives it up. Nil, and one that was used, may be dropped.
func (f *Foreseen) Drop() {
	if f != nil {
		f.early.drop()
	}
}

// adopt takes over what was foreseen if it is what the action wants.
func (e *early) adopt(foreseen *Foreseen) {
	if foreseen == nil {
		return
	}
	was := foreseen.early
	if was.network != e.network || was.host != e.host || was.userns != e.userns || was.limits != e.limits {
		foreseen.Drop()
		return
	}
	e.ahead, e.begun = was.take(), true
}

// early is the sandbox that was begun for an action, or one to begin.
func (r *Runner) early(a *action.Action) *early {
	if begun := r.begun.Load(); begun != nil && begun.action == a && r.begun.CompareAndSwap(begun, nil) {
		return begun
	}
	return r.newEarly(a)
}

func (r *Runner) newEarly(a *action.Action) *early {
	early := aloneFor(a)
	early.pool = r.ready.of(a)
	return early
}

// aloneFor is a sandbox of no pool.
func aloneFor(a *action.Action) *early {
	return &early{network: networkOf(a.Network), host: a.Host, userns: a.Userns, limits: limitsOf(a.Limits), action: a}
}

// viewOf is what of the host an action sees beside what is its own.
func viewOf(host action.Host) func() sandbox.View {
	if host == action.HostNone {
		return func() sandbox.View { return sandbox.View{} }
	}
	return sandbox.SystemView
}

// begin starts to make the sandbox, once. One that could not be started says so
// when the run tries again.
func (e *early) begin() {
	if e.begun {
		return
	}
	e.begun = true
	if e.pool != nil {
		e.ahead, _ = e.pool.Start(e.limits)
		return
	}
	e.ahead, _ = sandbox.Start(sandbox.Config{Network: e.network, AllowUserns: e.userns, Limits: e.limits}, viewOf(e.host))
}

// run runs a command in the sandbox that was begun, or in a new one.
func (e *early) run(ctx context.Context, config sandbox.Config) (sandbox.Status, error) {
	if ahead := e.take(); ahead != nil {
		return ahead.Run(ctx, config)
	}
	config.View = viewOf(e.host)()
	return sandbox.Run(ctx, config)
}

// drop gives up a sandbox that was not used.
func (e *early) drop() {
	if ahead := e.take(); ahead != nil {
		ahead.Close()
	}
}

// take returns the sandbox the first time, if one was begun and could be.
func (e *early) take() *sandbox.Ahead {
	ahead := e.ahead
	e.ahead = nil
	return ahead
}
