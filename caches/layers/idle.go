package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"larder/caches"
)

// Folders of a run that nearly every run has, see [Run.Place].
const (
	BuildPlace   = "build"   // the workspace of a run without inputs
	PrivatePlace = "private" // holds TempPlace and HomePlace
	TempPlace    = "tmp"
	HomePlace    = "home"
)

// idleMost is how many folders wait for their next run. More runs than that at
// once make the rest anew.
const idleMost = 4

// TakeRun is [NewRun] with a folder that an earlier run has left idle, when there
// is one: making and removing directories takes longer than all else that a run does
// with them. [Run.Place] gives the directories that wait in it, which are as new
// ones: empty, with the owner, the mode, the attributes and the flags of a new
// one, and with the present time. Idle folders are no part of Runs, so a sweep finds
// there what crashes have left and nothing else.
func TakeRun(layout caches.Layout) (*Run, error) {
	for number := range idleMost {
		if run := takeIdle(layout, idlePath(layout, number)); run != nil {
			return run, nil
		}
	}
	return NewRun(layout)
}

// idlePath is where an idle folder of this user waits.
func idlePath(layout caches.Layout, number int) string {
	return filepath.Join(layout.Idle(), fmt.Sprint(number)+layout.Owner())
}

// takeIdle returns nil when there is no folder at path, or another process takes
// it. One that is not as it should be goes.
func takeIdle(layout caches.Layout, path string) *Run {
	lock, err := TryAcquire(filepath.Join(path, lockName))
	if err != nil {
		return nil
	}
	run := &Run{layout: layout, path: filepath.Join(layout.Runs(), "run-"+strconv.FormatUint(rand.Uint64(), 36)), lock: lock}
	if err := caches.Settle(path, run.path); err != nil {
		lock.Close()
		return nil
	}
	ready, err := waiting(run.path)
	if err != nil {
		lock.Close()
		_ = Discard(layout, run.path) // else a sweep takes it
		return nil
	}
	for _, name := range ready {
		run.ready.Store(name, true)
	}
	return run
}

// Park leaves the folder of a run to a run to come: it empties it and puts it among
// the idle ones. No process may be left that had a part of it mounted. It does nothing
// when enough are idle already, and with a folder of which anything is other than
// when it was new, whatever the reason: [Run.Close], which has to follow in any
// case, removes that. A crash leaves the folder to a sweep, or idle.
func (r *Run) Park() {
	if r.parked {
		return
	}
	_, err := waiting(r.path)
	if err != nil && r.clear() == nil { // most commands leave nothing there
		_, err = waiting(r.path)
	}
	if err != nil {
		return
	}
	for number := range idleMost {
		err := caches.Settle(r.path, idlePath(r.layout, number))
		if err == nil {
			r.parked = true
		}
		if !errors.Is(err, fs.ErrExist) {
			return
		}
	}
}

// clear removes all but the folders that stay, and what is in these.
func (r *Run) clear() error {
	var failed []error
	for _, path := range list(r.path) {
		switch filepath.Base(path) {
		case lockName:
		case BuildPlace:
			failed = append(failed, clearFolder(path))
		case PrivatePlace:
			failed = append(failed, clearPrivate(path))
		default:
			failed = append(failed, RemoveTree(path))
		}
	}
	return errors.Join(failed...)
}

func clearPrivate(folder string) error {
	var failed []error
	for _, path := range list(folder) {
		switch filepath.Base(path) {
		case TempPlace, HomePlace:
			failed = append(failed, clearFolder(path))
		default:
			failed = append(failed, RemoveTree(path))
		}
	}
	return errors.Join(failed...)
}

// clearFolder empties a folder that a process may have replaced by anything.
func clearFolder(folder string) error {
	info, err := os.Lstat(folder)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory any more", folder)
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, path := range list(folder) {
		failed = append(failed, RemoveTree(path))
	}
	return errors.Join(failed...)
}
