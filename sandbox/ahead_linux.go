//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"os"
	"time"
)

// Ahead is a sandbox that is being made before it is known what will run in it:
// its process 1 makes namespaces, root and the mounts of a [View] while the
// caller is busy with other things. It serves one run. A caller that dies takes
// it along.
type Ahead struct {
	cfg    Config // what it was made for
	facts  facts
	plan   *program
	box    *box
	limits guard
	pool   *Pool     // that it came from, or nil
	of     *base     // what of that it was made from
	keeper *keeper   // that made it, or nil
	since  time.Time // when that began it
	taken  bool      // from the pool
}

// Start begins to make a sandbox for the view that look gives, and calls look
// while the kernel makes the namespaces. Of cfg only Network, AllowUserns,
// Hostname and Limits count; Private, mounts and the command follow with
// [Ahead.Run]. It returns when what process 1 has to do for that view is known, and
// the control group for Limits is there; whether the sandbox can be made is
// told by the run.
func Start(cfg Config, look func() View) (*Ahead, error) {
	a, err := begin(&Config{Network: cfg.Network, AllowUserns: cfg.AllowUserns, Hostname: cfg.Hostname}, look, nil)
	if err == nil {
		a.limits = holdTo(cfg.Limits)
	}
	return a, err
}

// begin starts a sandbox without the mounts of the view that the targets cover.
func begin(cfg *Config, look func() View, targets []string) (*Ahead, error) {
	plan, err := newProgram()
	if err != nil {
		return nil, err
	}
	plan.planApart(cfg, os.Geteuid(), os.Getegid())
	a := &Ahead{cfg: *cfg, plan: plan}
	if a.box, err = launch(cfg, plan); err != nil {
		plan.arena.free()
		return nil, err
	}
	a.cfg.View = look()
	a.box.hurry(plan)
	if a.facts, err = surveyHost(&a.cfg); err == nil {
		plan.planBase(&a.cfg, a.facts, targets)
		err = plan.fits()
	}
	if err == nil {
		err = a.box.tell(request{kind: requestBase})
	}
	if err != nil {
		a.leave()
		return nil, err
	}
	return a, nil
}

// Close gives up a sandbox that is not wanted any more. It does nothing after
// [Ahead.Run].
func (a *Ahead) Close() {
	if a.box != nil {
		a.leave()
		a.limits.close()
		a.finish()
	}
}

// leave gives up the sandbox as it is.
func (a *Ahead) leave() {
	b, k := a.box, a.keeper
	a.box, a.keeper = nil, nil
	if a.pool == nil {
		b.leave()
		return
	}
	a.pool.leaves(b, a.plan, k)
}

// finish tells the pool that this one is not used any more.
func (a *Ahead) finish() {
	if a.taken {
		a.pool.done()
	}
}

// Run is [Run] in this sandbox. With other Limits than those of [Start] it makes
// another control group. Isolation, View, Network, AllowUserns and Hostname of cfg do
// not count: they are those of [Start], which makes namespaces. It may be called once.
func (a *Ahead) Run(ctx context.Context, cfg Config) (Status, error) {
	return a.run(ctx, cfg, monotonic())
}

// run counts the time of preparation from began.
func (a *Ahead) run(ctx context.Context, cfg Config, began int64) (Status, error) {
	if a.box == nil {
		return Status{ExitCode: -1}, configError("a sandbox that was made ahead serves one run")
	}
	cfg.Isolation, cfg.View, cfg.Network = a.cfg.Isolation, a.cfg.View, a.cfg.Network
	cfg.AllowUserns, cfg.Hostname = a.cfg.AllowUserns, a.cfg.Hostname
	if ctx.Err() != nil {
		a.Close()
		return Status{ExitCode: -1, Killed: true}, nil
	}
	if a.limits.limits != cfg.Limits {
		a.limits.close()
		a.limits = holdTo(cfg.Limits)
	}
	defer a.limits.close()
	defer a.finish()
	a.facts.group = a.limits.group
	if err := a.plans(&cfg); err != nil {
		if a.box != nil {
			a.leave()
		}
		return Status{ExitCode: -1}, err
	}
	if err := a.box.order(&cfg, a.limits.group); err != nil {
		_, closeErr := a.end()
		return Status{ExitCode: -1}, errors.Join(err, closeErr)
	}
	a.plan.litter = a.plan.leaves // or the sandbox fails, and no other is made of what is there
	s := &supervisor{cfg: &cfg, plan: a.plan, box: a.box, limits: a.limits, status: Status{ExitCode: -1}, began: began, clock: time.NewTimer(time.Hour)}
	s.clock.Stop()
	if cfg.Began != nil {
		cfg.Began(a.box.pid)
	}
	if a.taken {
		a.pool.refill()
	}
	goesAlong := cfg.isFinal() && a.pool == nil && isFirstNamespace() // found while the command runs
	err := s.supervise(ctx)
	switch {
	case err == nil && !s.ending && goesAlong:
		a.box = nil
	case err == nil && !s.ending && (!cfg.isFinal() || a.pool != nil):
		a.leave()
	default:
		err = errors.Join(err, a.await(s))
	}
	s.endTerminal()
	return s.status, err
}

// await ends the sandbox, and tells who cannot be ended.
func (a *Ahead) await(s *supervisor) error {
	b := a.box
	isStuck, err := a.end()
	if isStuck && s.status.Left == nil {
		s.status.Left = b.left()
	}
	// Without a process id namespace those whom process 1 leaves have another parent.
	s.status.Stuck = isStuck || s.cfg.Isolation == Directory && len(s.status.Left) > 0
	return err
}

// end is [box.close].
func (a *Ahead) end() (isStuck bool, err error) {
	b := a.box
	a.box = nil
	if a.keeper != nil {
		a.pool.dismiss(a.keeper)
		a.keeper = nil
	}
	return b.close()
}

// plans completes the plan for cfg. Where mounts of cfg belong below those that
// are there already, the sandbox is begun again without these.
func (a *Ahead) plans(cfg *Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if err := a.facts.surveyRun(cfg); err != nil {
		return err
	}
	if !a.plan.planRun(cfg, a.facts) {
		a.leave()
		again, err := begin(cfg, cfg.view, cfg.targets())
		if err != nil {
			return err
		}
		a.plan, a.box, a.cfg.View = again.plan, again.box, again.cfg.View
		if !a.plan.planRun(cfg, a.facts) {
			return configError("the mounts at %v cannot be put in an order", cfg.targets())
		}
	}
	return a.plan.fits()
}

func (cfg *Config) view() View { return cfg.View }

// targets lists where cfg mounts something itself.
func (cfg *Config) targets() []string {
	var list []string
	for _, bind := range cfg.Binds {
		list = append(list, bind.Target)
	}
	for _, overlay := range cfg.Overlays {
		list = append(list, overlay.Target)
	}
	return list
}
