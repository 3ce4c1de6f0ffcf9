package caches_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/caches"
)

// shareable makes a directory as an administrator would for this user's group.
func shareable(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o770|fs.ModeSetgid|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return root
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode() &^ fs.ModeDir
}

func TestASharedStoreIsWritableByItsGroup(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	layout, err := caches.OpenLayout(shareable(t))
	if err != nil || !layout.Shared() || !strings.HasPrefix(layout.Owner(), "-") {
		t.Fatalf("%v, shared %t, owner %q", err, layout.Shared(), layout.Owner())
	}
	blob := filepath.Join(layout.CAS(), "fn", "ab", "blob")
	record := filepath.Join(layout.Results(), "fn", "ab", "record")
	for _, path := range []string{blob, record} {
		if err := layout.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(layout.Layers(), "empty")
	if err := caches.MakeFolder(empty, caches.Own); err != nil {
		t.Fatal(err)
	}
	const adding = 0o775 | fs.ModeSticky
	for path, want := range map[string]fs.FileMode{
		layout.CAS(): adding, layout.Layers(): adding, layout.Named(): adding, layout.Temp(): adding, layout.Runs(): adding,
		layout.Results(): 0o775, layout.Uses(): 0o775, layout.Log(): 0o775, layout.Tally(): 0o775,
		filepath.Dir(blob): adding, filepath.Dir(record): 0o775, empty: 0o755, blob: 0o644, record: 0o644,
	} {
		if got := modeOf(t, path); got != want {
			t.Errorf("%s has the mode %v, want %v", path, got, want)
		}
	}
}

func TestAPrivateStoreHandsNoGroupDown(t *testing.T) {
	above := t.TempDir()
	if err := os.Chmod(above, 0o755|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	layout, err := caches.OpenLayout(filepath.Join(above, "store"))
	if err != nil || layout.Shared() || layout.Owner() != "" {
		t.Fatalf("%v, shared %t, owner %q", err, layout.Shared(), layout.Owner())
	}
	if got := modeOf(t, layout.Root()); got != 0o700 {
		t.Errorf("the root has the mode %v", got)
	}
	if got := modeOf(t, layout.Temp()); got&fs.ModeSetgid != 0 {
		t.Errorf("the temporary folder has the mode %v", got)
	}
}

func TestShareFile(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	layout, err := caches.OpenLayout(shareable(t))
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]fs.FileMode{layout.Log(): 0o664, t.TempDir(): 0o600} {
		file, err := os.Create(filepath.Join(folder, "file"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := caches.ShareFile(file); err != nil {
			t.Error(err)
		}
		if got := modeOf(t, file.Name()); got != want {
			t.Errorf("%s has the mode %v, want %v", file.Name(), got, want)
		}
	}
}

func TestMakeFolderByManyAtOnce(t *testing.T) {
	layout, err := caches.OpenLayout(shareable(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(layout.Layers(), "a", "b")
	done := make(chan error)
	for range 16 {
		go func() { done <- caches.MakeFolder(path, 0) }()
	}
	for range 16 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(layout.Layers(), ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
