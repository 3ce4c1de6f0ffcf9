package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"larder/caches"
)

// lockName is the file in a run folder whose lock says that the run lives.
const lockName = "lock"

// Run is a folder in the store for the private files of one process of larder,
// such as the upper layers of the actions that it runs. One Run belongs to one
// process; several goroutines may use it. A crash leaves the folder behind
// with its lock released, and [Sweep] removes it.
type Run struct {
	layout caches.Layout
	path   string
	lock   *Lock
	ready  sync.Map // places that wait in a folder that was idle
	parked bool     // it waits for the next run
}

// Private is a fresh pair of folders for one overlay mount: Upper takes what
// the process writes, Work belongs to overlayfs. Both are on the file system of
// the store.
type Private struct{ Upper, Work string }

// NewRun makes a fresh run folder in the store and locks it for the life of
// the process or until Close.
func NewRun(layout caches.Layout) (*Run, error) {
	for {
		path, err := makeTemp(layout.Runs(), "run-*")
		if err != nil {
			return nil, fmt.Errorf("make a run folder: %w", err)
		}
		lock, err := claim(path)
		switch {
		case err == nil:
			return &Run{layout: layout, path: path, lock: lock}, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrLocked):
			continue // a sweep took the folder between mkdir and lock
		}
		return nil, fmt.Errorf("make a run folder: %w", err)
	}
}

// NewSlot is [NewRun] in the first of a row of folders that no other run has: it
// has the same path as the last one when no others are at work.
func NewSlot(layout caches.Layout) (*Run, error) {
	for number := 1; ; number++ {
		path := filepath.Join(layout.Runs(), fmt.Sprintf("slot-%d", number))
		err := os.Mkdir(path, 0o700)
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.Join(caches.MakeFolder(layout.Runs(), 0), os.Mkdir(path, 0o700))
		}
		if errors.Is(err, fs.ErrExist) {
			continue // of a run that lives, or for a sweep to remove
		}
		var lock *Lock
		if err == nil {
			lock, err = claim(path)
		}
		switch {
		case err == nil:
			return &Run{layout: layout, path: path, lock: lock}, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrLocked):
			continue // a sweep took the folder
		}
		return nil, fmt.Errorf("make a run folder: %w", err)
	}
}

// claim takes the lock of the run folder at path. NewRun and Sweep both use
// it, so that exactly one of them gets a folder that was just made.
func claim(path string) (*Lock, error) { return TryMake(filepath.Join(path, lockName)) }

// makeTemp is os.MkdirTemp that makes the parent when the store lost it.
func makeTemp(parent, pattern string) (string, error) {
	path, err := os.MkdirTemp(parent, pattern)
	if errors.Is(err, fs.ErrNotExist) {
		if err = caches.MakeFolder(parent, 0); err == nil {
			path, err = os.MkdirTemp(parent, pattern)
		}
	}
	return path, err
}

// Path returns the absolute path of the run folder.
func (r *Run) Path() string { return r.path }

// Dir makes a fresh folder in the run, readable by its owner only. Its name
// begins with name, which is for people who look at the store.
func (r *Run) Dir(name string) (string, error) {
	path, err := os.MkdirTemp(r.path, name+"-*")
	if err != nil {
		return "", fmt.Errorf("make a private folder for %s: %w", name, err)
	}
	return path, nil
}

// Place makes the folder name in the run, which must not be there, readable by its
// owner only. Of a folder from [TakeRun] it may be one that was there: a place
// of this package's names, once, and with the mode that such a place has.
func (r *Run) Place(name string) (string, error) {
	path := filepath.Join(r.path, name)
	if _, waits := r.ready.LoadAndDelete(name); waits {
		return path, nil
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("make a private folder: %w", err)
	}
	return path, nil
}

// Private makes a fresh pair of folders for an overlay mount.
func (r *Run) Private(name string) (Private, error) {
	folder, err := r.Dir(name)
	if err != nil {
		return Private{}, err
	}
	private := Private{filepath.Join(folder, "upper"), filepath.Join(folder, "work")}
	for _, path := range []string{private.Upper, private.Work} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return Private{}, fmt.Errorf("make a private layer for %s: %w", name, err)
		}
	}
	return private, nil
}

// Close removes the run folder with everything in it and releases its lock. It
// may be called more than once. After [Run.Park] the folder stays, idle.
//
// The lock file goes last: while it is there and locked no Sweep takes the
// folder. One that comes in the moment after finishes the work.
func (r *Run) Close() error {
	defer r.lock.Close()
	if r.parked {
		return nil
	}
	var failed []error
	for _, path := range list(r.path) {
		if filepath.Base(path) != lockName {
			failed = append(failed, RemoveTree(path))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("remove the run folder: %w", err)
	}
	os.Remove(filepath.Join(r.path, lockName))
	os.Remove(r.path)
	return nil
}
