package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// sparePrefix begins the names of spare stores.
const sparePrefix = "larder-spare-"

// Spare is a store for one run that is thrown away: a run goes there when the
// disk of the real store is full or broken. It belongs to one process. A crash
// leaves its folder, with the lock released, and the next spare in the same
// place removes it.
type Spare struct {
	Layout caches.Layout
	folder string
	lock   *Lock
}

// NewSpare makes a spare store in the first of the places that has room for a
// run and lets programs be executed. When none has, the error says why for each.
func NewSpare(places []string) (*Spare, error) {
	var failed []error
	for _, place := range places {
		spare, err := newSpare(place)
		if err == nil {
			return spare, nil
		}
		failed = append(failed, err)
	}
	return nil, fmt.Errorf("make a store for this run alone: %w", errors.Join(failed...))
}

func newSpare(place string) (*Spare, error) {
	if err := errors.Join(caches.CheckRoom(place), mayExecute(place)); err != nil {
		return nil, err
	}
	sweepSpares(place)
	spare, err := claimSpare(place)
	if err != nil {
		return nil, err
	}
	if spare.Layout, err = caches.OpenLayout(filepath.Join(spare.folder, "store")); err != nil {
		return nil, errors.Join(err, spare.Close())
	}
	return spare, nil
}

// claimSpare makes a folder and locks it; a sweep may take the folder in between.
func claimSpare(place string) (*Spare, error) {
	for {
		folder, err := os.MkdirTemp(place, sparePrefix+"*")
		if err != nil {
			return nil, err
		}
		lock, err := claim(folder)
		if err == nil {
			return &Spare{folder: folder, lock: lock}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrLocked) {
			return nil, errors.Join(err, os.Remove(folder))
		}
	}
}

// sweepSpares removes what this user's processes left when they died. The place
// may be writable by everybody, so what another user put there stays untouched.
func sweepSpares(place string) {
	left, _ := filepath.Glob(filepath.Join(place, sparePrefix+"*"))
	for _, folder := range left {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			continue
		}
		if lock, err := claim(folder); err == nil {
			_ = RemoveTree(folder)
			lock.Close()
		}
	}
}

// mayExecute refuses file systems that are mounted noexec, as /dev/shm is in
// containers: the scripts of an action would not run there.
func mayExecute(folder string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", folder, err)
	}
	if stat.Flags&noExec != 0 {
		return fmt.Errorf("%s is mounted so that nothing can be executed there", folder)
	}
	return nil
}

// Close removes the spare store with everything in it.
func (s *Spare) Close() error {
	defer s.lock.Close()
	if err := RemoveTree(s.folder); err != nil {
		return fmt.Errorf("remove %s: %w", s.folder, err)
	}
	return nil
}
