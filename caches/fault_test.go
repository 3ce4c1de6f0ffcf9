package caches_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/caches"
)

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		err           error
		isFault, disk bool
		advice        string
	}{
		{syscall.ENOSPC, true, true, "make room on the disk"},
		{syscall.EDQUOT, true, true, "quota"},
		{syscall.EIO, true, true, "kernel's log"},
		{syscall.EROFS, true, true, "for writing"},
		{syscall.EACCES, true, false, "the right to write"},
		{fs.ErrPermission, true, false, "the right to write"},
		{syscall.ENOTDIR, false, false, ""},
		{fs.ErrNotExist, false, false, ""},
		{errors.New("other"), false, false, ""},
		{nil, false, false, ""},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("do: %w", &fs.PathError{Op: "open", Path: "x", Err: err})
		}
		if caches.IsFault(err) != c.isFault || caches.IsDiskFault(err) != c.disk || !strings.Contains(caches.FaultAdvice(err), c.advice) {
			t.Errorf("%v: fault %t, of a disk %t, advice %q", c.err, caches.IsFault(err), caches.IsDiskFault(err), caches.FaultAdvice(err))
		}
	}
}

func TestCheckRoom(t *testing.T) {
	if err := caches.CheckRoom(t.TempDir()); err != nil {
		t.Errorf("the temporary folder: %v", err)
	}
	if err := caches.CheckRoom(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// A store that cannot be made is named all the same, for a run without it.
func TestOpenLayoutThatCannotBeMade(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	file := filepath.Join(filepath.Dir(root), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := caches.OpenLayout(filepath.Join(file, "store")); err == nil || caches.IsFault(err) {
		t.Errorf("below a file: %v; want an error that is no fault", err)
	}
	if os.Getuid() == 0 {
		return // root may write anywhere
	}
	if err := os.Mkdir(root, 0o555); err != nil {
		t.Fatal(err)
	}
	layout, err := caches.OpenLayout(root)
	if !errors.Is(err, caches.ErrStore) || !caches.IsFault(err) || layout.Root() != root {
		t.Errorf("%v, %q; want a fault of a store with its name", err, layout.Root())
	}
}
