package named

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers"
)

// Store gives access to the named caches of one store. It holds no state:
// goroutines and processes may share the store freely.
type Store struct {
	layout  caches.Layout
	journal *journal.Journal
	boot    func() string
	// patience is how long a lock is waited for that others hold for a moment,
	// while they read or swap a head. Who holds it longer was stopped, or means no
	// good, and holds nobody up for ever.
	patience time.Duration
}

// mostPatience leaves room for many that publish one after the other.
const mostPatience = time.Minute

// waiting bounds the wait for such a lock.
func (s *Store) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	why := fmt.Errorf("nothing has come of it for %v; look for a larder that is stopped: %w", s.patience, layers.ErrLocked)
	return context.WithTimeoutCause(ctx, s.patience, why)
}

// Open returns the named caches of the store at layout. It does no work. What
// happens to caches is written down in the journal, which may be nil.
func Open(layout caches.Layout, to *journal.Journal) *Store {
	return &Store{layout, to, sync.OnceValue(caches.BootID), mostPatience}
}

// Files of one cache instance.
const (
	refFile           = "ref.json"
	headFile          = "head"
	goneFile          = "gone" // what was the head when a removal began
	lockFile          = "lock"
	useFile           = "use"
	generationsFolder = "generations"
	manifestSuffix    = ".json"
	emptyFolder       = "empty"
)

// instance is one cache on disk.
type instance struct {
	store *Store
	id    string
	ref   caches.Ref
}

func (s *Store) instance(ref caches.Ref) instance { return instance{s, ref.ID(), ref} }

func (i instance) folder() string { return i.store.layout.Named() + "/" + i.id }

func (i instance) path(name string) string { return i.folder() + "/" + name }

func (i instance) layers() string { return i.store.layout.Layers() + "/" + i.id }

func (i instance) manifest(id string) string {
	return i.path(generationsFolder) + "/" + id + manifestSuffix
}

// state is the head of a cache as it was read. The zero value is an empty cache.
type state struct {
	manifest manifest
	stack    layers.Stack
	// problem says why the cache counts as empty although something is there.
	problem error
	// lost says why this is an earlier generation than the one that was published
	// last; nil when it is that.
	lost error
}

// unreadable says that the head could not be read for a fault of the disk or a
// lock, which may pass: what is there must not be replaced as if it were damaged.
func (s state) unreadable() error {
	if err := errors.Join(s.problem, s.lost); caches.IsFault(err) || errors.Is(err, layers.ErrLocked) {
		return fmt.Errorf("the head cannot be read: %w", err)
	}
	return nil
}

// load reads the head. Where a power cut may have torn it, or something of it is
// missing or damaged, the last durable generation takes its place; without one
// the cache is empty, with a problem. What a head names may be dropped while it
// is being read, but only after the head has moved on, so a problem counts only
// when the head stands still.
func (i instance) load() state {
	for {
		id, head := i.loadHead()
		if head.problem == nil {
			return head
		}
		head = i.fallBack(head)
		if again, _ := i.readHead(); again == id {
			return head
		}
	}
}

func (i instance) loadHead() (string, state) {
	id, err := i.readHead()
	if err != nil || id == "" {
		return id, state{problem: err}
	}
	found, err := i.read(id)
	if err != nil {
		return id, state{problem: err}
	}
	if !i.survived(found) {
		return id, state{problem: fmt.Errorf("generation %s: %w", id, errLost)}
	}
	return id, i.check(found)
}

// readHead returns the id of the head generation, "" when there is none.
func (i instance) readHead() (string, error) {
	text, err := caches.ReadFile(i.path(headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the head: %w", err)
	}
	id := strings.TrimSuffix(string(text), "\n")
	if !validID(id) {
		return "", fmt.Errorf("the head names no generation: %w", layers.ErrDamaged)
	}
	return id, nil
}

// check makes the stack of a manifest, all of whose layers must be present.
func (i instance) check(m manifest) state {
	stack := m.stack(i.layers())
	for _, layer := range stack {
		if err := layer.Look(); err != nil {
			return state{problem: fmt.Errorf("generation %s: %w", m.ID, err)}
		}
	}
	return state{manifest: m, stack: stack}
}

// lock takes the lock under which the head may be swapped, and makes the
// folder of the instance first.
func (i instance) lock(ctx context.Context) (*layers.Lock, error) {
	ctx, cancel := i.store.waiting(ctx)
	defer cancel()
	return i.lockNamed(ctx, lockFile)
}

// lockNamed tries again when the folder was removed between making it and
// locking in it.
func (i instance) lockNamed(ctx context.Context, name string) (*layers.Lock, error) {
	for {
		if err := i.makeFolders(); err != nil {
			return nil, fmt.Errorf("%s: %w", i.ref, err)
		}
		lock, err := layers.Acquire(ctx, i.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.ref, err)
		}
		return lock, nil
	}
}

// makeFolders makes the folder of the instance, in which any user of the store
// swaps the head, and the one to which manifests are only added.
func (i instance) makeFolders() error {
	if err := caches.MakeFolder(i.folder(), caches.Swapping); err != nil {
		return err
	}
	return caches.MakeFolder(i.path(generationsFolder), caches.Adding)
}

// empty returns the store's empty directory: overlayfs wants a lower directory
// even for a cache that holds nothing.
func (s *Store) empty() (string, error) {
	path := filepath.Join(s.layout.Layers(), emptyFolder)
	if err := caches.MakeFolder(path, caches.Own); err != nil {
		return "", fmt.Errorf("make the empty layer: %w", err)
	}
	return path, nil
}

func validID(text string) bool {
	if len(text) != 16 {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}

// missing reports whether an error only says that something is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
