package layers_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"larder/caches/layers"
)

// dig makes a directory in dir that is depth levels deep, each of the mode, with
// a file on each hundredth level, as a process does that changes its directory.
func dig(t *testing.T, dir string, depth int, mode uint32) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	check(t, err)
	for level := range depth {
		check(t, unix.Mkdirat(at, "d", 0o755))
		next, err := unix.Openat(at, "d", unix.O_PATH|unix.O_DIRECTORY, 0)
		check(t, err)
		if level%100 == 0 {
			check(t, unix.Symlinkat("/etc/shadow", next, "link"))
		}
		if level > 0 {
			check(t, unix.Fchmodat(at, ".", mode, 0))
		}
		check(t, unix.Close(at))
		at = next
	}
	check(t, unix.Close(at))
}

// TestRemoveTreeOfAnyDepth: no path reaches the bottom, and larder may have fewer
// files open than the tree has levels.
func TestRemoveTreeOfAnyDepth(t *testing.T) {
	dir := t.TempDir()
	dig(t, dir, 1500, 0o755)
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = 256
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	err := layers.RemoveTree(filepath.Join(dir, "d"))
	check(t, errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)))
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestRemoveTreeWithoutPermissions(t *testing.T) {
	for _, mode := range []uint32{0, 0o300, 0o500, 0o6111} {
		dir := t.TempDir()
		dig(t, dir, 300, mode)
		check(t, layers.RemoveTree(filepath.Join(dir, "d")))
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("mode %o: left %v, %v", mode, left, err)
		}
	}
}

func TestRemoveTreeOfManyFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wide")
	check(t, os.Mkdir(dir, 0o755))
	for i := range 3000 {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644))
	}
	var removers sync.WaitGroup
	for range 3 {
		removers.Go(func() {
			if err := layers.RemoveTree(dir); err != nil {
				t.Error(err)
			}
		})
	}
	removers.Wait()
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it is still there", err)
	}
}

func TestRemoveTreeFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	check(t, errors.Join(os.Mkdir(kept, 0o755), os.WriteFile(filepath.Join(kept, "file"), nil, 0o644),
		os.Mkdir(filepath.Join(dir, "tree"), 0o755), os.Symlink(kept, filepath.Join(dir, "tree", "link")), os.Symlink(kept, filepath.Join(dir, "link"))))
	check(t, errors.Join(layers.RemoveTree(filepath.Join(dir, "tree")), layers.RemoveTree(filepath.Join(dir, "link")), layers.RemoveTree(filepath.Join(dir, "none"))))
	if _, err := os.Lstat(filepath.Join(kept, "file")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}
