package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

// tending is what looks after a store when nobody waits for it: it merges
// layers, lists them, and sees to it that what was published is on the disk.
type tending struct {
	layout caches.Layout
	tender *named.Tender
	blobs  []*cas.Store  // one for each digest function
	synced time.Time     // what LastChange said before the last sync of this process
	pause  time.Duration // from the first work to the sync, so that runs share one
}

// tendPause is how long tending waits for more to come before it syncs the
// store, which costs every program that writes to the same file system.
const tendPause = 3 * time.Second

// tendLook is how often it looks for caches to merge meanwhile.
const tendLook = 200 * time.Millisecond

func tendCommand() *cli.Command {
	return &cli.Command{
		Name: "tend", Hidden: true, Usage: "look after the store as long as there is something to do",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "pause", Value: tendPause, Usage: "wait `DUR` before syncing"},
			&cli.StringFlag{Name: "max-size", Usage: "keep the store within `SIZE`, or none"},
		},
		Action: cacheTend,
	}
}

// cacheTend is larder cache tend: see [workshop.leaveWork].
func cacheTend(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	err = shop.tending(command.Duration("pause")).untilDone(ctx)
	if err == nil {
		err = shop.keepSmall(ctx, command.String("max-size")) // what was published is safe by now
	}
	if err != nil {
		shop.journal.Warn("tend", "problem", err) // nobody reads what it prints
	}
	return err
}

// keepSmall is the automatic cleaning.
func (w *workshop) keepSmall(ctx context.Context, size string) error {
	limit, err := w.maxSize(size)
	if err == nil {
		_, err = w.upkeep().Auto(ctx, limit)
	}
	return err
}

func (w *workshop) tending(pause time.Duration) *tending {
	w.layout.Leave() // it looks at files that cleaning may take away
	t := &tending{layout: w.layout, tender: w.named.NewTender(), pause: pause}
	for _, fn := range []digest.Function{digest.BLAKE3, digest.SHA256} {
		t.blobs = append(t.blobs, cas.Open(w.layout, fn))
	}
	return t
}

// tendFile is the name of the lock.
const tendFile = "tend"

// tendLock is held by the one process that tends the store.
func tendLock(layout caches.Layout) (*layers.Lock, error) {
	return layers.TryMake(filepath.Join(layout.Uses(), tendFile))
}

// leaveWork starts a process that looks after the store, unless one is at work. One that is looks again
// after it has given its lock up, so nothing is forgotten. That it cannot be
// started is no harm: the next run or `cache compact` does the work.
func (w *workshop) leaveWork() {
	if !w.background || w.broken != nil {
		return
	}
	lock, err := tendLock(w.layout)
	if err != nil {
		return
	}
	lock.Close()
	// The settings of this run's root are not those of the root directory, where
	// the process runs.
	args := []string{"--store", w.layout.Root(), "cache", "tend"}
	if size, _ := w.settings.sizeFor(w.layout.Root()); size != "" && os.Getenv("LARDER_MAX_SIZE") == "" {
		args = append(args, "--max-size", size)
	}
	_ = startDetached(args...)
}

// tendRest is how long answers alone wait for the next tending: a power cut
// costs them a look at their content, no more, and a process for each of many
// small actions would cost more than they.
const tendRest = 30 * time.Second

// untended reports whether nobody has tended the store lately. A process that
// tends it makes the lock file new.
func (w *workshop) untended() bool {
	info, err := os.Stat(filepath.Join(w.layout.Uses(), tendFile))
	return err != nil || time.Since(info.ModTime()) > tendRest
}

// published reports whether an action left a new generation in the store.
func published(result *action.Result) bool {
	for _, cache := range result.Caches {
		switch named.Result(cache.Outcome) {
		case named.Published, named.Merged, named.Replaced:
			return true
		}
	}
	return false
}

// keptAnswer reports whether a run left an answer in the store.
func keptAnswer(request executor.Request, result *action.Result) bool {
	return request.Results.Write && result.Cached == "no" && result.Key != "" && result.Status == action.StatusOK
}

// untilDone tends the store until there is nothing left to do, unless another
// process does. What fails is not tried again.
func (t *tending) untilDone(ctx context.Context) error {
	for {
		lock, err := tendLock(t.layout)
		if errors.Is(err, layers.ErrLocked) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tend the store: %w", err)
		}
		now := time.Now()
		_ = os.Chtimes(filepath.Join(t.layout.Uses(), tendFile), now, now) // for untended; without it there is more tending
		err = t.rounds(ctx)
		lock.Close()
		// Whoever came while the lock was held has gone again, and counts on this.
		if err != nil || !t.isLeft() {
			return err
		}
	}
}

func (t *tending) rounds(ctx context.Context) error {
	var failed []error
	for {
		if _, err := t.tender.Arrange(ctx); err != nil {
			failed = append(failed, err)
		}
		if !t.isLeft() {
			return errors.Join(failed...)
		}
		if err := t.gather(ctx); err != nil {
			failed = append(failed, err)
		}
		if err := t.makeDurable(ctx); err != nil {
			return errors.Join(append(failed, err)...)
		}
	}
}

// gather arranges caches until the pause is over.
func (t *tending) gather(ctx context.Context) error {
	var failed []error
	for end := time.Now().Add(t.pause); ; {
		if _, err := t.tender.Arrange(ctx); err != nil {
			failed = append(failed, err)
		}
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			return errors.Join(append(failed, context.Cause(ctx))...)
		}
		time.Sleep(min(left, tendLook))
	}
}

// isLeft reports whether something was added since the last sync.
func (t *tending) isLeft() bool {
	if t.tender.Unmarked().Len() > 0 {
		return true
	}
	changed := cas.LastChange(t.layout)
	return !changed.Equal(t.synced) && changed.After(cas.LastSync(t.layout))
}

// makeDurable syncs the store and marks what was there before. Blobs that a power
// cut may have torn are read first, once for each boot of the machine.
func (t *tending) makeDurable(ctx context.Context) error {
	moment, unmarked := time.Now(), t.tender.Unmarked()
	t.synced = cas.LastChange(t.layout)
	for _, blobs := range t.blobs {
		if err := blobs.Confirm(ctx); err != nil {
			return err
		}
	}
	if err := t.layout.Sync(); err != nil {
		return err
	}
	if err := t.blobs[0].MarkSynced(moment); err != nil {
		return err
	}
	return t.tender.Mark(unmarked)
}

// cacheCompact is larder cache compact: the same work, now.
func cacheCompact(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	before, err := shop.named.List("")
	if err != nil {
		return err
	}
	t := shop.tending(0)
	marked := t.tender.Unmarked().Len()
	err = t.gather(ctx)
	if durable := t.makeDurable(ctx); err == nil {
		err = durable
	}
	if err != nil {
		return advised(err)
	}
	if err := shop.printCompacted(before); err != nil {
		return err
	}
	_, err = fmt.Printf("%s written to the disk\n", counted(marked, "generation", "generations"))
	return err
}

// printCompacted says which caches have fewer layers than before.
func (w *workshop) printCompacted(before []named.Row) error {
	layersOf := map[string]int{}
	for _, row := range before {
		layersOf[row.ID] = row.Layers
	}
	out := outlet{to: os.Stdout}
	after, err := w.named.List("")
	for _, row := range after {
		if was := layersOf[row.ID]; was > row.Layers {
			out.printf("%s: %d layers are now %d\n", row.Ref, was, row.Layers)
		}
	}
	return errors.Join(err, out.err())
}
