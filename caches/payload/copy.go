package payload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

// ErrChanged says that a source is not in the state in which its copy was
// wanted. The copy was thrown away.
var ErrChanged = errors.New("it changed while it was copied; try again when nothing writes to it")

// ErrUnmounted says that the file system of a source went away while it was copied.
// The source may come back as it was, so the failure is noted.
var ErrUnmounted = errors.New("the file system that was mounted there went away while it was copied; mount it again")

// Progress is how far a copy is, in bytes of content, holes included.
type Progress struct {
	Copied, Total int64
	Waiting       bool // another process makes the copy
}

// patience is how long Copy waits for the lock before it takes whoever has it
// for one that copies or removes: who only asks for the status holds it for
// microseconds.
const patience = time.Second

// Copy makes the copy of the wanted source with this id. When another process
// is making it, it returns layers.ErrLocked; when it is there already, nil, and
// it is listed for [Store.Verify] if whoever made it died before that. A
// failure is noted for [Store.Use] and [Store.List], and leaves nothing but the
// note; the rest of a copy whose process died is removed first. report is called
// now and then, and may be nil.
func (s *Store) Copy(ctx context.Context, id string, report func(Progress)) error {
	e := s.entry(id)
	if _, err := e.read(); err != nil {
		return err
	}
	short, cancel := context.WithTimeoutCause(ctx, patience, layers.ErrLocked)
	defer cancel()
	lock, err := layers.Acquire(short, e.path(lockFile))
	if err != nil {
		return fmt.Errorf("copy payload %s: %w", id, err)
	}
	defer lock.Close()
	return e.copy(ctx, report)
}

// Warm makes sure that src has a copy: it makes it, or waits for the process
// that does, and takes over when that one dies.
func (s *Store) Warm(ctx context.Context, src Source, report func(Progress)) error {
	e := s.entry(src.ID())
	for {
		if err := e.want(src); err != nil {
			return err
		}
		lock, err := e.await(ctx, src.State.Bytes, report)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("copy payload %s: %w", src.Path, err)
		}
		defer lock.Close()
		return e.copy(ctx, report)
	}
}

// await takes the lock, and while another process has it reports how far that
// one is.
func (e entry) await(ctx context.Context, total int64, report func(Progress)) (*layers.Lock, error) {
	lock, err := layers.TryMake(e.path(lockFile))
	if !errors.Is(err, layers.ErrLocked) {
		return lock, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for tick := time.Tick(100 * time.Millisecond); report != nil; {
			select {
			case <-tick:
				report(Progress{e.progress(), total, true})
			case <-ended:
				return
			}
		}
	}()
	return layers.Acquire(ctx, e.path(lockFile))
}

// copy makes the copy. The lock is held.
func (e entry) copy(ctx context.Context, report func(Progress)) error {
	wanted, err := e.read()
	if err != nil {
		return err
	}
	if exists(e.path(treeFolder)) {
		e.list(ctx) // who made it may have died before that
		return nil
	}
	began, device := time.Now(), deviceOf(wanted.Path)
	err = e.clear()
	if err == nil {
		err = e.attempt(ctx, wanted, report)
	}
	if isAnother(err) && deviceOf(wanted.Path) != device {
		err = ErrUnmounted
	}
	if err == nil {
		os.Remove(e.path(problemFile))
		e.store.journal.Log("payload-copied", "id", e.id, "path", wanted.Path, "bytes", wanted.Bytes, "ms", time.Since(began).Milliseconds())
		e.list(ctx)
		return nil
	}
	e.store.journal.Warn("payload-not-copied", "id", e.id, "path", wanted.Path, "problem", err.Error())
	err = fmt.Errorf("copy payload %s: %w", wanted.Path, err)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = fmt.Errorf("%w; %s", err, caches.FaultAdvice(err))
	}
	return errors.Join(err, e.giveUp(ctx, err))
}

// clear removes what those who died have left.
func (e entry) clear() error {
	for _, name := range []string{goneFolder, partialFolder, progressFile} {
		if err := layers.RemoveTree(e.path(name)); err != nil {
			return fmt.Errorf("remove what is left of an earlier copy: %w", err)
		}
	}
	return nil
}

// giveUp leaves nothing of an attempt but a note why it failed. A source that
// has changed is another one from now on, and this one will not come back: it
// leaves nothing at all. An attempt that somebody broke off did not fail.
func (e entry) giveUp(ctx context.Context, why error) error {
	if isAnother(why) {
		return layers.Discard(e.store.layout, e.path())
	}
	err := e.clear()
	if ctx.Err() == nil {
		// A disk that is full may have no room for the note either.
		_ = e.store.layout.WriteFile(e.path(problemFile), []byte(why.Error()+"\n"), 0o644)
	}
	return err
}

// isAnother tells that the source is not what it was.
func isAnother(err error) bool {
	return errors.Is(err, ErrChanged) || errors.Is(err, fs.ErrNotExist)
}

// deviceOf names the file system of a directory; 0 when it cannot be asked.
func deviceOf(path string) uint64 {
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil {
		return 0
	}
	return uint64(stat.Dev)
}

// attempt copies between two looks at the state of the source.
func (e entry) attempt(ctx context.Context, wanted record, report func(Progress)) error {
	state, err := e.check(ctx, wanted)
	if err != nil {
		return err
	}
	if err := e.store.checkRoom(Source{wanted.Path, state}); err != nil {
		return err
	}
	meter, err := e.newMeter(wanted.Bytes, report)
	if err != nil {
		return err
	}
	defer meter.close()
	c := copier{ctx: ctx, moved: meter.moved}
	if err := c.tree(wanted.Path, e.path(partialFolder)); err != nil {
		return err
	}
	if _, err := e.check(ctx, wanted); err != nil {
		return err
	}
	if err := flush(e.path(partialFolder)); err != nil {
		return err
	}
	return caches.Replace(e.path(partialFolder), e.path(treeFolder))
}

// check compares the source with the state in which it was wanted.
func (e entry) check(ctx context.Context, wanted record) (digest.TreeState, error) {
	state, err := digest.StateOfTree(ctx, wanted.Path)
	if err == nil && state.Digest.String() != wanted.State {
		err = ErrChanged
	}
	return state, err
}

// flush waits until the copy is on the disk: it is used for so long that what a
// power cut would leave of it has to be whole.
func flush(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := syncFileSystem(dir); err != nil {
		return &fs.PathError{Op: "sync", Path: folder, Err: err}
	}
	return nil
}

// meter tells of the progress of a copy, in the folder for other processes.
type meter struct {
	now    Progress
	report func(Progress)
	file   *os.File
	last   time.Time
}

func (e entry) newMeter(total int64, report func(Progress)) (*meter, error) {
	file, err := os.Create(e.path(progressFile))
	if err != nil {
		return nil, fmt.Errorf("note the progress: %w", err)
	}
	return &meter{now: Progress{Total: total}, report: report, file: file}, nil
}

func (m *meter) moved(bytes int64) {
	m.now.Copied += bytes
	if time.Since(m.last) < 100*time.Millisecond {
		return
	}
	m.last = time.Now()
	// It is advice, and of a fixed length, so that no rest of it stays.
	_, _ = m.file.WriteAt(fmt.Appendf(nil, "%20d\n", m.now.Copied), 0)
	if m.report != nil {
		m.report(m.now)
	}
}

func (m *meter) close() {
	m.file.Close()
	os.Remove(m.file.Name())
}
