package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers"
)

// Store keeps copies of payloads in one store. Any number of processes and
// goroutines may use it at the same time.
type Store struct {
	layout  caches.Layout
	journal *journal.Journal
}

// Open returns the payloads of a store. It does no work. The journal, which may
// be nil, is told of copies that were made, failed or were removed.
func Open(layout caches.Layout, to *journal.Journal) *Store { return &Store{layout, to} }

// Names in the folder of a source.
const (
	recordFile    = "payload.json"
	lockFile      = "lock"
	useFile       = "use"
	treeFolder    = "tree"
	partialFolder = "partial"
	progressFile  = "progress"
	goneFolder    = "gone"
	problemFile   = "problem"
)

// Status says in which condition the copy of a source is.
type Status string

// What there can be in place of a copy, and what it can be.
const (
	Original Status = "original" // there is none, and none was asked for
	Pending  Status = "pending"  // wanted, and nobody has begun
	Copying  Status = "copying"  // somebody holds the lock
	Stalled  Status = "stalled"  // begun, and whoever did is gone
	Cached   Status = "cached"   // whole
	InUse    Status = "in-use"   // whole, and leased by a run
	Removing Status = "removing" // being deleted
	Corrupt  Status = "corrupt"  // nobody knows any more which source it is of
)

// record is the content of payload.json. It is written once and never changed.
type record struct {
	Schema int    `json:"schema"`
	Path   string `json:"path"`
	State  string `json:"state"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// entry is the folder of one source.
type entry struct {
	store *Store
	id    string
}

func (s *Store) entry(id string) entry { return entry{s, id} }

func (e entry) path(name ...string) string {
	return filepath.Join(append([]string{e.store.layout.Payloads(), e.id}, name...)...)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// read returns which source the entry is of.
func (e entry) read() (record, error) {
	data, err := caches.ReadFile(e.path(recordFile))
	if err != nil {
		return record{}, fmt.Errorf("payload %s: %w", e.id, err)
	}
	r, err := parseRecord(data)
	if err != nil {
		return record{}, fmt.Errorf("payload %s: %w; larder cache remove %s removes it", e.id, err, e.id)
	}
	return r, nil
}

func parseRecord(data []byte) (record, error) {
	var r record
	data, err := caches.Unseal(data)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return record{}, fmt.Errorf("its record is damaged: %w", err)
	}
	if r.Schema != 1 || !filepath.IsAbs(r.Path) {
		return record{}, errors.New("its record is not one of this version of larder")
	}
	return r, nil
}

// want notes that a copy of src is wanted. Another process may remove the
// folder between any two steps, so it tries again; but not for ever.
func (e entry) want(src Source) error {
	var err error
	for range 10 {
		if err = e.note(src); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("note that payload %s is wanted: %w", src.Path, err)
	}
	return nil
}

func (e entry) note(src Source) error {
	if !exists(e.path(recordFile)) {
		data, err := json.Marshal(record{1, src.Path, src.State.Digest.String(), src.State.Files, src.State.Bytes})
		if err != nil {
			return err
		}
		if err := e.store.layout.WriteFile(e.path(recordFile), caches.Seal(data), 0o644); err != nil {
			return err
		}
	}
	if exists(e.path(useFile)) {
		return nil // in a shared store, making it again is refused to other users
	}
	file, err := os.OpenFile(e.path(useFile), os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(caches.ShareFile(file), file.Close())
}

// isLocked asks the kernel whether somebody copies or removes. For the moment
// of the question it holds the lock itself; [Store.Copy] waits longer than that.
func (e entry) isLocked() bool {
	lock, err := layers.TryAcquire(e.path(lockFile))
	lock.Close()
	return errors.Is(err, layers.ErrLocked)
}

// status looks at what is in the folder. Only cached is a promise, and that to
// who holds a lease. A copy is stalled when there is a part of it both before and
// after the lock was seen to be free.
func (e entry) status() Status {
	begun := exists(e.path(partialFolder))
	locked := e.isLocked()
	switch {
	case exists(e.path(treeFolder)):
		return Cached
	case exists(e.path(goneFolder)):
		return Removing
	case locked:
		return Copying
	case begun && exists(e.path(partialFolder)):
		return Stalled
	}
	return Pending
}

// isNothing tells a folder that is just being made, or removed, from one whose
// record is lost.
func (e entry) isNothing() bool {
	for _, name := range []string{recordFile, treeFolder, goneFolder, partialFolder} {
		if exists(e.path(name)) {
			return false
		}
	}
	return true
}

// progress is how many bytes of a copy on its way are done.
func (e entry) progress() int64 {
	data, _ := caches.ReadFile(e.path(progressFile))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n
}

// problem is when the last attempt failed, and why; nil when it did not.
func (e entry) problem() (time.Time, error) {
	data, err := caches.ReadFile(e.path(problemFile))
	info, statErr := os.Stat(e.path(problemFile))
	if err != nil || statErr != nil {
		return time.Time{}, nil
	}
	return info.ModTime(), errors.New(strings.TrimSpace(string(data)))
}

func (e entry) lastUsed() time.Time {
	info, err := os.Stat(e.path(useFile))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
