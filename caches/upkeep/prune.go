package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/digest"
)

// Limits say what a pruning is to achieve. [NoLimits] is where to begin.
type Limits struct {
	// MaxSize is how many bytes of disk the store may take; below zero is no
	// limit.
	MaxSize int64
	// MinFree is how many bytes are to be free on its file system.
	MinFree int64
	// OlderThan lets everything go that was not used for so long; zero is no
	// limit.
	OlderThan time.Duration
	// OldFormats lets the parts go that are in the format of another version.
	OldFormats bool

	room int64 // to make below MaxSize, when that is exceeded
}

// NoLimits let everything stay that somebody could use.
func NoLimits() Limits { return Limits{MaxSize: -1} }

// Item is something that goes as a whole.
type Item struct {
	Kind  Kind
	Name  string    // for people: a cache, a path, the hash of a key or of a blob
	Used  time.Time // last
	Bytes int64     // of the disk, that its removal frees
}

// Report says what a pruning did, or in a plan would do.
type Report struct {
	Removed  map[Kind]int
	Freed    int64
	InUse    int   // items that had to stay because somebody uses them
	Size     int64 // of the store before, in bytes of disk
	Stopped  bool  // the time was over before all was done
	Problems []Problem
}

// Plan says what [Store.Prune] would remove now, and calls each for every item
// of it, in order.
func (s *Store) Plan(ctx context.Context, limits Limits, each func(Item)) (Report, error) {
	return s.prune(ctx, &pruning{limits: limits, each: each, dry: true})
}

// Prune removes what limits say, and calls each for every item that it removed,
// in order. It never waits for a run and never takes anything from one; what a
// run uses stays. It goes on past what cannot be read or removed, and reports
// that. When the deadline of ctx comes, it stops between two items and says so
// in the report: the rest is for the next time.
//
// The process must not use anything of the store itself, see
// [caches.Layout.Leave]. Several that prune at once do each other no harm.
func (s *Store) Prune(ctx context.Context, limits Limits, each func(Item)) (Report, error) {
	return s.prune(ctx, &pruning{limits: limits, each: each})
}

// pruning is one pruning on its way.
type pruning struct {
	*Store
	ctx    context.Context
	limits Limits
	each   func(Item)
	dry    bool

	unused time.Time // what was used last before is used by nobody
	now    time.Time
	excess int64 // bytes that have to go
	ledger ledger
	blobs  map[digest.Function]*cas.Store
	needs  *needs
	report Report

	damaged []candidate // records that nobody can use
}

// candidate is an item that may go, with what it takes to remove it.
type candidate struct {
	Item
	paths []string  // all that is removed
	cache named.Row // when it is one
	// inUse says, without changing anything, that it has to stay; nil is no.
	inUse func() bool
	// remove takes it away. errInUse says that it stays.
	remove func() error
	// after is called when it is away, to free what only it needed.
	after func()
}

var errInUse = errors.New("in use")

func (s *Store) prune(ctx context.Context, p *pruning) (Report, error) {
	p.Store, p.ctx, p.now, p.report.Removed = s, ctx, time.Now(), map[Kind]int{}
	p.blobs = map[digest.Function]*cas.Store{}
	for _, fn := range []digest.Function{digest.BLAKE3, digest.SHA256} {
		p.blobs[fn] = cas.Open(s.layout, fn)
	}
	err := p.run()
	if !p.dry && len(p.report.Removed) > 0 {
		p.journal.Log("pruning", "freed", p.report.Freed, "results", p.report.Removed[Results], "blobs", p.report.Removed[Blobs])
	}
	if errors.Is(err, context.DeadlineExceeded) {
		p.report.Stopped, err = true, nil
	}
	if err != nil {
		return p.report, fmt.Errorf("prune the store: %w", err)
	}
	return p.report, nil
}

// run is a pruning from beginning to end.
func (p *pruning) run() (err error) {
	// So that what a process left that has just died is from before the epoch.
	time.Sleep(timeSlack)
	if p.unused, err = p.layout.NextEpoch(); err != nil {
		return err
	}
	if err := p.all(p.leftovers(), p.always); err != nil {
		return err
	}
	kept := p.kept()
	if err := p.all(kept, p.isOver); err != nil {
		return err
	}
	if err := p.measure(); err != nil {
		return err
	}
	if p.limits.OldFormats {
		if err := p.all(p.oldFormats(), p.always); err != nil {
			return err
		}
	}
	p.needs = newNeeds(p.ctx, p.blobs)
	candidates := slices.Concat(slices.DeleteFunc(kept, func(c candidate) bool { return p.isOver(c.Item) }), p.results(), p.trees(), p.freeCaches(), p.copies(), p.indexes(), p.idle()) // and with that all needs
	if err := p.all(p.damaged, p.always); err != nil {
		return err
	}
	candidates = append(candidates, p.looseBlobs()...)
	if err := p.all(p.spares(), p.due); err != nil {
		return err
	}
	return p.all(candidates, p.due)
}

// measure finds out how much there is, and how much of it has to go.
func (p *pruning) measure() error {
	usage, err := p.Usage(p.ctx)
	if err != nil {
		return err
	}
	p.report.Size = usage.Total.Bytes
	p.report.Problems = append(p.report.Problems, usage.Problems...)
	if p.limits.MaxSize >= 0 && usage.Total.Bytes > p.limits.MaxSize {
		p.excess = usage.Total.Bytes - p.limits.MaxSize + p.limits.room
	}
	if p.limits.MinFree > 0 {
		free, err := freeBytes(p.layout.Root())
		if err != nil {
			return err
		}
		p.excess = max(p.excess, p.limits.MinFree-free)
	}
	return nil
}

func (p *pruning) always(Item) bool { return true }

// due reports whether an item has to go: because it is old, or because the store
// is still too large.
func (p *pruning) due(item Item) bool {
	return p.excess > 0 || p.limits.OlderThan > 0 && p.now.Sub(item.Used) > p.limits.OlderThan
}

// condition reports whether an item has to go.
type condition func(Item) bool

// all removes those of the candidates that have to go, the longest unused first.
func (p *pruning) all(candidates []candidate, has condition) error {
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Name, b.Name)) })
	for _, c := range candidates {
		if !has(c.Item) {
			continue
		}
		if err := p.ctx.Err(); err != nil {
			return err
		}
		p.one(c)
	}
	return nil
}

// one removes a candidate, or in a plan only counts it.
func (p *pruning) one(c candidate) {
	if c.inUse != nil && c.inUse() {
		p.report.InUse++
		return
	}
	c.Bytes = p.ledger.take(c.paths)
	if err := p.carryOut(c); err != nil {
		p.ledger.giveBack(c.paths)
		p.stays(c.Item, err)
		return
	}
	p.removed(c.Item)
	if c.after != nil {
		c.after()
	}
}

func (p *pruning) carryOut(c candidate) error {
	if !p.dry {
		return c.remove()
	}
	if c.Kind == Caches { // of which a part may go first, and then the whole
		p.ledger.forget(c.paths)
	}
	return nil
}

// stays notes why an item is still there.
func (p *pruning) stays(item Item, err error) {
	switch {
	case errors.Is(err, errInUse), errors.Is(err, layers.ErrLocked), errors.Is(err, caches.ErrBusy):
		p.report.InUse++
	case errors.Is(err, fs.ErrNotExist): // somebody else removed it
	default:
		p.report.Problems = append(p.report.Problems, Problem{item.Name, err})
	}
}

func (p *pruning) removed(item Item) {
	p.report.Removed[item.Kind]++
	p.report.Freed += item.Bytes
	p.excess -= item.Bytes
	if p.each != nil {
		p.each(item)
	}
	if !p.dry && item.Kind != Blobs && item.Kind != Results {
		p.journal.Log("pruned", "kind", string(item.Kind), "name", item.Name, "bytes", item.Bytes)
	}
}

// problem notes what could not be looked at.
func (p *pruning) problem(path string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && p.ctx.Err() == nil {
		p.report.Problems = append(p.report.Problems, Problem{path, err})
	}
}
