package layers_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"larder/caches/layers"
)

func TestOwnFilesSeparatesNames(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	file, alone, link := filepath.Join(dir, "d", "file"), filepath.Join(dir, "alone"), filepath.Join(dir, "link")
	past := time.Unix(1e9, 0)
	check(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	for _, path := range []string{file, alone} {
		check(t, os.WriteFile(path, []byte("good"), 0o754))
		check(t, os.Chtimes(path, past, past))
	}
	check(t, os.Link(file, outside))
	check(t, os.Symlink(outside, link))
	before := inodeOf(t, alone)
	check(t, layers.OwnFiles(dir))
	check(t, os.WriteFile(outside, []byte("bad"), 0o644))
	data, err := os.ReadFile(file)
	check(t, err)
	info, err := os.Lstat(file)
	check(t, err)
	if string(data) != "good" || info.Mode() != 0o754 || !info.ModTime().Equal(past) {
		t.Errorf("%q, mode %v, time %v", data, info.Mode(), info.ModTime())
	}
	if inodeOf(t, alone) != before {
		t.Error("a file with one name was copied")
	}
	if to, err := os.Readlink(link); err != nil || to != outside {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "d")); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	check(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestSlotsAreUsedAgain(t *testing.T) {
	layout := newLayout(t)
	first, err := layers.NewSlot(layout)
	check(t, err)
	second, err := layers.NewSlot(layout)
	check(t, err)
	place, err := first.Place("build")
	check(t, err)
	if place != filepath.Join(layout.Runs(), "slot-1", "build") || second.Path() != filepath.Join(layout.Runs(), "slot-2") {
		t.Errorf("slots %s, %s", place, second.Path())
	}
	if _, err := first.Place("build"); err == nil {
		t.Error("one place was made twice")
	}
	if swept, err := layers.Sweep(layout); err != nil || swept.Runs != 0 {
		t.Errorf("a sweep took %+v, %v", swept, err)
	}
	check(t, first.Close())
	again, err := layers.NewSlot(layout)
	check(t, err)
	if again.Path() != first.Path() {
		t.Errorf("the next is at %s", again.Path())
	}
	check(t, again.Close())
	check(t, second.Close())
}
