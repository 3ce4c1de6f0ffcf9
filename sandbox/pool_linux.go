//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Pool keeps sandboxes ready for a caller that runs many actions: while one runs, the
// next is begun, up to as many as run at a time. Each serves one run. One that
// nobody takes goes after [PoolIdle], and all with Close, or with the caller, however
// that ends. It may be used by many goroutines.
//
// The user and the network namespace of one that ran and is gone serve the next, and
// never two at a time, where neither the network of the host nor user namespaces were
// asked for, no socket is left, and the kernel has counted nothing of what the network
// is used for. So the next one cannot tell that there was another before it but by the
// numbers of the namespaces.
//
// Who binds a folder writably that another sandbox has at the same time uses [Start]
// instead: by a socket in it one could hand an open file of /proc on, which would show
// the next user of the namespace.
//
// What the host shows is looked at anew when the last look is older than PoolIdle,
// so a sandbox may show files and directories of a [View] as they were twice that ago,
// where they were replaced since. What was mounted on the host, or unmounted, before a
// sandbox is asked for is always seen.
type Pool struct {
	cfg  Config
	look func() View
	most int

	begun sync.WaitGroup // makers of sandboxes

	mu       sync.Mutex
	ready    []*Ahead // the oldest first
	making   int
	running  int
	base     *base      // what they are made from; nil when it is not known
	keepless time.Time  // until when nobody tries to make a keeper, since one could not be made
	looked   time.Time  // when that was found
	mounts   mountWatch // of the host, while there is a base
	programs []*program // to be used again
	keepers  []*keeper  // that wait for a sandbox, the longest first
	leaving  []leaver
	timer    *time.Timer
	closed   bool
}

// PoolIdle is how long a sandbox of a [Pool] waits for somebody to take it.
const PoolIdle = time.Second

// keeplessFor is how long a pool that is in use does without keepers when one could not
// be made.
const keeplessFor = time.Minute

// tendEvery is how often a pool looks for what has become too old, or has ended,
// while there is something of the kind.
const tendEvery = PoolIdle / 20

// leaver is a sandbox whose process 1 is on its way out, or a keeper that is.
type leaver struct {
	pid    int
	plan   *program
	keeper *keeper  // that made it, if any
	owed   *program // of the process 1 that a keeper was making last, if it did not tell
}

// base is what all sandboxes of a pool have in common, as of one look at the host.
type base struct {
	cfg    Config
	facts  facts
	isKept bool // there are keepers
}

// NewPool makes a pool of at most so many sandboxes that wait, and begins none. Of
// cfg the same counts as for [Start], but for Limits. Look is called now and then.
func NewPool(cfg Config, look func() View, most int) *Pool {
	return &Pool{cfg: Config{Network: cfg.Network, AllowUserns: cfg.AllowUserns, Hostname: cfg.Hostname}, look: look, most: most}
}

// Start gives a sandbox that is ready, or else begins one. It is used as one of the
// function [Start]; that of limits is found when it is taken.
func (p *Pool) Start(limits Limits) (*Ahead, error) {
	a := p.take()
	if a == nil {
		var err error
		if a, err = p.begin(); err != nil {
			p.done()
			return nil, err
		}
	}
	a.limits = holdTo(limits)
	a.taken = true
	return a, nil
}

// take gives a sandbox that is ready, or nil, to somebody who uses one from now on.
func (p *Pool) take() *Ahead {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running++
	p.heedMounts()
	if len(p.ready) == 0 {
		return nil
	}
	a := p.ready[0]
	p.ready = slices.Delete(p.ready, 0, 1)
	return a
}

// heedMounts drops all that has been begun when the mounts of the host have changed.
func (p *Pool) heedMounts() {
	if p.mounts.hasChanged() {
		p.dropBase()
	}
}

// dropBase gives up the base, and what was begun from it.
func (p *Pool) dropBase() {
	p.forget()
	p.base = nil
	for _, a := range p.ready {
		p.leave(a.box, a.plan, a.keeper)
	}
	p.ready = nil
}

// begin starts a sandbox of the kind of the pool.
func (p *Pool) begin() (*Ahead, error) {
	of, err := p.present()
	if err == nil && of.isKept {
		if a, err := p.beginKept(of); err == nil {
			return a, nil
		}
		of, err = p.doWithout()
	}
	if err != nil {
		return nil, err
	}
	plan, err := p.program(of)
	if err != nil {
		return nil, err
	}
	made, err := launch(&of.cfg, plan)
	if err != nil {
		plan.arena.free()
		return nil, err
	}
	return p.ahead(of, plan, made), nil
}

func (p *Pool) ahead(of *base, plan *program, made *box) *Ahead {
	return &Ahead{of: of, cfg: of.cfg, facts: of.facts.apart(), plan: plan, box: made, pool: p, since: time.Now()}
}

// beginKept has process 1 made by a keeper that waits, or else by a new one. One that
// fails was ended or stopped by somebody.
func (p *Pool) beginKept(of *base) (*Ahead, error) {
	for k := p.keeper(); k != nil; k = p.keeper() {
		if k.of != of || !k.trace.isNone() {
			p.dismiss(k)
			continue
		}
		if a, err := p.beginBy(k, of); err == nil {
			return a, nil
		}
		break
	}
	k, err := newKeeper(of)
	if err != nil {
		return nil, err
	}
	return p.beginBy(k, of)
}

// beginBy has process 1 made by a keeper, which goes if it cannot.
func (p *Pool) beginBy(k *keeper, of *base) (*Ahead, error) {
	plan, err := p.program(of)
	if err != nil {
		p.dismiss(k)
		return nil, err
	}
	made, err := k.launch(plan)
	if err != nil {
		p.dismiss(k)
		return nil, err
	}
	a := p.ahead(of, plan, made)
	a.keeper = k
	return a, nil
}

// doWithout gives a base without keepers, of which one could not be made.
func (p *Pool) doWithout() (*base, error) {
	p.mu.Lock()
	p.keepless = time.Now().Add(keeplessFor)
	p.forget()
	p.base = nil
	p.mu.Unlock()
	return p.present()
}

// keeper gives the keeper that was used last.
func (p *Pool) keeper() *keeper {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keepers) == 0 {
		return nil
	}
	last := len(p.keepers) - 1
	k := p.keepers[last]
	p.keepers = p.keepers[:last]
	return k
}

// dismiss ends a keeper.
func (p *Pool) dismiss(k *keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = append(p.leaving, k.close())
	p.wind()
}

// present gives the base, made anew when it has become old.
func (p *Pool) present() (*base, error) {
	p.mu.Lock()
	p.heedMounts()
	p.mounts.begin()
	known, looked := p.base, p.looked
	p.mu.Unlock()
	if known != nil && time.Since(looked) < PoolIdle {
		return known, nil
	}
	looked = time.Now()
	next := &base{cfg: p.cfg}
	next.cfg.View = p.look()
	err := next.cfg.validateMounts()
	if err == nil {
		next.facts, err = surveyHost(&next.cfg)
	}
	if err != nil {
		return nil, err
	}
	next.isKept = isKept(&next.cfg)
	return p.renew(next, looked), nil
}

// renew takes a new base. A host that looks the same keeps the one that programs
// were made for.
func (p *Pool) renew(next *base, looked time.Time) *base {
	p.mu.Lock()
	defer p.mu.Unlock()
	next.isKept = next.isKept && time.Now().After(p.keepless)
	if p.base == nil || !reflect.DeepEqual(p.base, next) {
		p.dropBase()
		p.base = next
	}
	p.looked = looked
	return p.base
}

// forget frees the programs that are kept.
func (p *Pool) forget() {
	for _, program := range p.programs {
		program.arena.free()
	}
	p.programs = nil
}

// program gives a program that holds the first part for a base, if there is one that
// was used, without planning it again.
func (p *Pool) program(of *base) (*program, error) {
	if again := p.again(of); again != nil {
		return again, nil
	}
	plan, err := newProgram()
	if err != nil {
		return nil, err
	}
	plan.kept = of.isKept
	plan.planApart(&of.cfg, of.facts.uid, of.facts.gid)
	plan.planBase(&of.cfg, of.facts, nil)
	if err := plan.fits(); err != nil {
		plan.arena.free()
		return nil, err
	}
	plan.lay(of)
	return plan, nil
}

func (p *Pool) again(of *base) *program {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reap()
	if len(p.programs) == 0 || of != p.base {
		return nil
	}
	last := len(p.programs) - 1
	again := p.programs[last]
	p.programs = p.programs[:last]
	return again
}

// refill begins one more sandbox when fewer wait than actions run.
func (p *Pool) refill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.ready)+p.making >= min(p.most, p.running) {
		return
	}
	p.making++
	p.begun.Go(func() {
		a, err := p.begin()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.making--
		switch {
		case err != nil: // which whoever needs a sandbox will be told
		case p.closed || a.of != p.base:
			p.leave(a.box, a.plan, a.keeper)
		default:
			p.ready = append(p.ready, a)
			p.wind()
		}
	})
}

// done notes that a sandbox that was taken is not used any more.
func (p *Pool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
}

// leaves is [box.leave] for a sandbox of the pool, whose program serves again.
func (p *Pool) leaves(b *box, plan *program, k *keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(b, plan, k)
}

func (p *Pool) leave(b *box, plan *program, k *keeper) {
	b.conn.Close()
	p.leaving = append(p.leaving, leaver{pid: b.pid, plan: plan, keeper: k})
	p.wind()
}

// wind has the pool tended.
func (p *Pool) wind() {
	if p.timer == nil {
		p.timer = time.AfterFunc(tendEvery, p.tend)
	}
}

// tend drops what has waited too long, and takes leave of what has ended.
func (p *Pool) tend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	old := time.Now().Add(-PoolIdle)
	for len(p.ready) > 0 && (p.closed || p.ready[0].since.Before(old)) {
		p.leave(p.ready[0].box, p.ready[0].plan, p.ready[0].keeper)
		p.ready = slices.Delete(p.ready, 0, 1)
	}
	p.reap()
	for len(p.keepers) > 0 && (p.closed || p.keepers[0].since.Before(old)) {
		p.leaving = append(p.leaving, p.keepers[0].close())
		p.keepers = slices.Delete(p.keepers, 0, 1)
	}
	if len(p.ready)+len(p.leaving)+len(p.keepers) > 0 {
		p.wind()
	} else if p.running+p.making == 0 {
		p.forget()
		p.mounts.end()
		p.base, p.keepless = nil, time.Time{}
	}
}

// reap takes leave of each process 1 that has ended. Its keeper waits for another, who
// first looks whether anything is left in its namespaces. Nobody waits for one: a wait
// costs a thread of its own.
func (p *Pool) reap() {
	var found []leaver
	p.leaving = slices.DeleteFunc(p.leaving, func(l leaver) bool {
		pid, err := syscall.Wait4(l.pid, nil, syscall.WNOHANG, nil)
		if pid == 0 || errors.Is(err, syscall.EINTR) {
			return false
		}
		if l.keeper != nil {
			l.keeper.since, l.keeper.litter = time.Now(), l.plan.litter
			p.keepers = append(p.keepers, l.keeper)
		}
		if l.owed != nil {
			found = p.untold(l, found)
		}
		p.reuse(l.plan)
		return true
	})
	p.leaving = append(p.leaving, found...)
}

// untold adds what a keeper that has ended was making: a process 1, which goes by itself
// since its connection is closed, or nothing.
func (p *Pool) untold(l leaver, to []leaver) []leaver {
	if born := l.plan.orders.birth.born; born != 0 {
		return append(to, leaver{pid: int(born), plan: l.owed})
	}
	p.reuse(l.owed)
	return to
}

// reuse keeps a program that nobody uses any more for another sandbox, or frees it.
func (p *Pool) reuse(plan *program) {
	if plan.laid != nil && plan.laid.of == p.base && !p.closed && len(p.programs) < 2*p.most {
		plan.recycle()
		p.programs = append(p.programs, plan)
	} else {
		plan.arena.free()
	}
}

// Close ends the sandboxes that nobody has taken, and returns when none of their
// processes is left. Those that were taken are not touched; what follows begins
// sandboxes that nobody waits for, and keeps none.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.forget()
	p.base = nil // what follows looks at the host anew
	p.mu.Unlock()
	p.begun.Wait()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		p.tend()
		p.mu.Lock()
		isOver := len(p.leaving) == 0 || time.Since(begin) > stuckAfter
		p.mu.Unlock()
		if isOver {
			return
		}
	}
}
