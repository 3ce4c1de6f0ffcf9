package payload

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
)

// RetryAfter is how long [Store.Use] asks for no new attempt after one that
// failed, so that a full disk does not cost every run a copy.
const RetryAfter = 5 * time.Minute

// View is where a run finds a payload. It belongs to the run until Close.
type View struct {
	Dir    string // the copy, or the directory itself
	Status Status // Cached when Dir is the copy
	// Begin says that a process should call [Store.Copy] for the source.
	Begin bool
	// Problem says why there is no copy although one is wanted; nil while one is
	// only on its way.
	Problem error
	lease   *layers.Lock
}

// Close ends the lease. It may be called more than once.
func (v *View) Close() { v.lease.Close() }

// Use gives the copy of src with a lease when there is one, and src itself
// otherwise, which it then notes as wanted if the policy says so. It costs some
// system calls, whatever the size, never waits for a copy, and never fails: a
// store that cannot be written to is the Problem of the View.
func (s *Store) Use(ctx context.Context, src Source, policy caches.CopyPolicy) *View {
	e := s.entry(src.ID())
	if lease := e.lease(ctx); lease != nil {
		return &View{Dir: e.path(treeFolder), Status: Cached, lease: lease}
	}
	view := &View{Dir: src.Path, Status: Original}
	switch policy {
	case caches.CopyNever:
		return view
	case caches.CopyRemote:
		place, err := s.Place(src.Path)
		if err != nil || place.Near {
			view.Problem = err
			return view
		}
	}
	view.Status, view.Problem = Pending, e.want(src)
	if view.Problem != nil {
		return view
	}
	var failed time.Time
	view.Status = e.status()
	failed, view.Problem = e.problem()
	view.Begin = view.Status != Copying && (view.Problem == nil || time.Since(failed) > RetryAfter)
	return view
}

// Status says in which condition the copy of src is now, [Original] when nobody
// wants one.
func (s *Store) Status(src Source) Status {
	e := s.entry(src.ID())
	if !exists(e.path(recordFile)) {
		return Original
	}
	return e.status()
}

// isOurs reports whether there is a directory that the user of this process made.
func isOurs(path string) bool {
	var stat unix.Stat_t
	err := unix.Lstat(path, &stat)
	return err == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR && int(stat.Uid) == os.Geteuid()
}

// lease takes the shared lock that keeps a copy from being removed; nil when
// there is no copy, or somebody keeps it from the lock: who removes holds the
// other side of it for one rename only.
func (e entry) lease(ctx context.Context) *layers.Lock {
	short, cancel := context.WithTimeoutCause(ctx, patience, layers.ErrLocked)
	defer cancel()
	lease, err := layers.Lease(short, e.path(useFile))
	if err != nil {
		return nil
	}
	if !isOurs(e.path(treeFolder)) {
		lease.Close()
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(e.path(useFile), now, now) // the order of removal is advice
	return lease
}
