package caches

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How a store is cleaned while others use it.
//
// Time is cut into epochs. The file "epoch" stands for the present one, and the
// time of its creation is the beginning; every process that opens the store
// holds a shared lock on it for as long as it lives. A cleaner first ends the
// epoch, by giving its file another name and making a new one. What was last
// used before the beginning of the oldest epoch that somebody holds is used by
// nobody, and may go. A process in turn notes its use of a file, as its access
// time, unless that is already later than the beginning of its own epoch. Only
// between an old note and a new one could a cleaner come, so both are done
// under the lock of the file "gate", which nobody holds for long.
const (
	epochFile  = "epoch"
	endedEpoch = "epoch-" // and an id
	allEpochs  = "epoch-all"
	gateFile   = "gate"
)

// noteAge is how old the note of a use may become before it is renewed; it is
// how exactly cleaning knows what was used last.
const noteAge = time.Hour

// epochAge is when a process begins a new epoch as it opens the store: cleaning
// beside a live process frees what was last used before that process's epoch.
const epochAge = 10 * time.Minute

// ErrBusy says that somebody holds a lock of the store that nobody holds for long.
var ErrBusy = errors.New("the store is busy")

// use is the part that a process has in an epoch.
type use struct {
	mu    sync.Mutex
	stuck bool     // the gate did not open in time, and is not tried again
	epoch *os.File // locked
	all   *os.File // locked, when uses cannot be noted
	since time.Time
}

// enter takes part in the present epoch. A store in which nothing can be
// written takes no note: nobody cleans it either.
func (l Layout) enter() *use {
	for tries := 0; ; tries++ {
		file, err := l.share(epochFile)
		if errors.Is(err, ErrBusy) && tries < 3 {
			// Who ends epochs has one lock for a moment. It was stopped in that moment,
			// so a new epoch begins without it.
			if _, err := l.endPresent(); err == nil {
				continue
			}
		}
		if err != nil {
			return &use{}
		}
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return &use{}
		}
		if time.Since(info.ModTime()) > epochAge {
			if _, err := l.endPresent(); err == nil {
				file.Close()
				continue
			}
		}
		return &use{epoch: file, since: info.ModTime()}
	}
}

// share takes the shared lock on a file of the use folder, made when it is
// missing, and sees to it that the lock is on the file that has the name. Others
// keep it from that for microseconds; when one does for longer than
// usePatience, the error is [ErrBusy].
func (l Layout) share(name string) (*os.File, error) {
	for {
		file, err := l.openUse(name)
		if err != nil {
			return nil, err
		}
		if err := await(file); err != nil {
			return nil, err
		}
		mine, err := file.Stat()
		there, thereErr := os.Lstat(file.Name())
		if err == nil && thereErr == nil && os.SameFile(mine, there) {
			return file, nil
		}
		file.Close()
		if err := errors.Join(err, ignoreMissing(thereErr)); err != nil {
			return nil, err
		}
	}
}

// usePatience is how long a process waits for a lock that nobody holds for long:
// who does was stopped, or means no good.
const usePatience = 5 * time.Second

// await takes the shared lock on a file, or closes it.
func await(file *os.File) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), usePatience, fmt.Errorf("wait for %s: %w", file.Name(), ErrBusy))
	defer cancel()
	return FlockWithin(ctx, file, unix.LOCK_SH)
}

// openUse opens a lock file for reading, which is enough for a lock, so that
// other users of the store can have it too.
func (l Layout) openUse(name string) (*os.File, error) {
	path := filepath.Join(l.Uses(), name)
	for {
		file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // or a FIFO would hold it up
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		if err := l.makeUse(path); err != nil {
			return nil, err
		}
	}
}

// makeUse makes a lock file that every user of the store can read, whatever the
// umask, from its first moment on. Its time is that of the exact clock, as in
// notes; the one of the file system would be behind by some milliseconds.
func (l Layout) makeUse(path string) error {
	temp, err := os.CreateTemp(l.Temp(), "use-*")
	if err != nil {
		return err
	}
	now := time.Now()
	err = errors.Join(temp.Chmod(0o644), temp.Close(), os.Chtimes(temp.Name(), now, now))
	if err == nil {
		err = Settle(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Leave says that this process uses nothing of the store any more: what it has
// looked up may be cleaned away. It is for processes that only clean. It holds
// for every copy of the layout.
func (l Layout) Leave() {
	if l.use == nil {
		return
	}
	l.use.mu.Lock()
	defer l.use.mu.Unlock()
	l.use.epoch.Close() // nil is no harm
	l.use.all.Close()
	l.use.epoch, l.use.all = nil, nil
}

// Renew says that this process uses nothing of the store at this moment, and takes
// part in the present epoch from here on: what it had looked up before may be cleaned
// away. It is for processes that live for long, or nothing would be cleaned away
// beside them. It holds for every copy of the layout.
func (l Layout) Renew() {
	if l.use == nil {
		return
	}
	fresh := l.enter()
	l.use.mu.Lock()
	defer l.use.mu.Unlock()
	if l.use.epoch == nil || fresh.epoch == nil {
		fresh.epoch.Close() // nil is no harm
		return
	}
	l.use.epoch.Close()
	l.use.all.Close()
	l.use.epoch, l.use.all, l.use.since = fresh.epoch, nil, fresh.since
}

// since is the beginning of this process's epoch.
func (l Layout) since() time.Time {
	if l.use == nil {
		return time.Time{}
	}
	l.use.mu.Lock()
	defer l.use.mu.Unlock()
	return l.use.since
}

// Epoch is the beginning of the epoch that this process takes part in. What was
// noted as used since then, by anybody, stays for as long as the process lives. It
// is the zero time for who takes no part, as in a store that cannot be written.
func (l Layout) Epoch() time.Time { return l.since() }

// Now is the time for a note of a use: the present, and never before the
// beginning of the epoch, even when somebody sets the clock back.
func (l Layout) Now() time.Time {
	now := time.Now()
	if since := l.since(); since.After(now) {
		return since
	}
	return now
}

// Hold looks at the file or directory of the store at path, notes that this
// process uses it, and returns its size in bytes. As long as the process lives
// no cleaning takes it away. An error that wraps fs.ErrNotExist says that it is
// not there. It costs one look at the file, and the note about once an hour.
// Only what is cleaned by [Layout.Reap] needs it: blobs, results, input trees.
func (l Layout) Hold(path string) (size int64, err error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return 0, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	used := time.Unix(stat.Atim.Unix())
	if !used.Before(l.since()) && time.Since(used) < noteAge {
		return stat.Size, nil
	}
	return stat.Size, l.note(path)
}

// note writes down that path is used now. A cleaner that was stopped behind the
// gate holds nobody up: it may still take away the one thing that it was at,
// which costs a run at worst.
func (l Layout) note(path string) error {
	if gate := l.enterGate(); gate != nil {
		defer gate.Close()
	}
	err := setUsed(path, l.Now())
	switch {
	case errors.Is(err, fs.ErrPermission):
		l.holdAll() // a file of another user of the store
		_, err = os.Lstat(path)
	case errors.Is(err, unix.EROFS):
		err = nil
	}
	return err
}

// enterGate returns the gate with its shared lock, nil when it cannot be had. It
// waits once for one that is stuck, not for each of thousands of notes.
func (l Layout) enterGate() *os.File {
	if l.use != nil {
		l.use.mu.Lock()
		stuck := l.use.stuck
		l.use.mu.Unlock()
		if stuck {
			return nil
		}
	}
	gate, err := l.share(gateFile)
	if errors.Is(err, ErrBusy) && l.use != nil {
		l.use.mu.Lock()
		l.use.stuck = true
		l.use.mu.Unlock()
	}
	if err != nil {
		return nil
	}
	return gate
}

// holdAll keeps everything from being cleaned away for as long as this process
// lives. It is for who cannot note what it uses.
func (l Layout) holdAll() {
	if l.use == nil {
		return
	}
	l.use.mu.Lock()
	defer l.use.mu.Unlock()
	if l.use.all == nil && l.use.epoch != nil {
		l.use.all, _ = l.share(allEpochs)
	}
}

// NextEpoch begins a new epoch and returns the time before which everything
// was used last that nobody uses now. It is for cleaners. It waits for nobody;
// any number may call it at once, and a crash leaves the old epoch or the new.
func (l Layout) NextEpoch() (unused time.Time, err error) {
	begun, err := l.endPresent()
	if err != nil {
		return time.Time{}, fmt.Errorf("begin an epoch: %w", err)
	}
	unused, err = l.oldestHeld(begun)
	if err != nil {
		return time.Time{}, fmt.Errorf("look at epochs: %w", err)
	}
	return unused, nil
}

// endPresent makes a new epoch the present one and returns its beginning.
func (l Layout) endPresent() (begun time.Time, err error) {
	ended := filepath.Join(l.Uses(), endedEpoch+rand.Text())
	err = Replace(filepath.Join(l.Uses(), epochFile), ended)
	if err == nil {
		_, err = l.endEpoch(filepath.Base(ended))
	}
	if ignoreMissing(err) != nil {
		return time.Time{}, err
	}
	file, err := l.openUse(epochFile)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// oldestHeld removes the files of epochs that nobody holds and returns the
// beginning of the oldest that somebody does, or of the present one.
func (l Layout) oldestHeld(oldest time.Time) (time.Time, error) {
	entries, err := os.ReadDir(l.Uses())
	if err != nil {
		return time.Time{}, err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), endedEpoch) {
			continue
		}
		begun, err := l.endEpoch(entry.Name())
		if err != nil {
			return time.Time{}, err
		}
		if begun.Before(oldest) {
			oldest = begun
		}
	}
	return oldest, nil
}

// endEpoch removes the file of an epoch that nobody holds any more. Of one that
// is held it returns the beginning, else a time far ahead.
func (l Layout) endEpoch(name string) (begun time.Time, err error) {
	never := time.Unix(1<<40, 0)
	file, err := os.Open(filepath.Join(l.Uses(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return never, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	err = Flock(file, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return never, ignoreMissing(os.Remove(file.Name()))
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return time.Time{}, err
	}
	if name == allEpochs {
		return time.Time{}, nil
	}
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// LastUsed returns when somebody last noted the use of the file or directory at
// path, as [Layout.Hold] does.
func LastUsed(path string) (time.Time, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return time.Time{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return time.Unix(stat.Atim.Unix()), nil
}

// Reap calls work while no process can note a use. work looks at the notes once
// more ([LastUsed]) and takes away what was used last before the time that
// [Layout.NextEpoch] gave; it must be short, as runs may be waiting. When the
// gate does not come free within a tenth of a second, as when its holder was
// stopped, Reap returns [ErrBusy].
func (l Layout) Reap(work func() error) error {
	gate, err := l.openUse(gateFile)
	if err != nil {
		return fmt.Errorf("clean the store: %w", err)
	}
	defer gate.Close()
	for wait := time.Millisecond; ; wait *= 2 {
		err := Flock(gate, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return work()
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("clean the store: %w", err)
		}
		if wait > 64*time.Millisecond {
			return fmt.Errorf("clean the store: %w", ErrBusy)
		}
		time.Sleep(wait)
	}
}
