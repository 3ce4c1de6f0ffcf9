package caches_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"larder/caches"
)

func TestReadFileReadsAllOfAnySize(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 8192, 100_000} {
		path := filepath.Join(dir, "file")
		want := bytes.Repeat([]byte("larder "), size/7+1)[:size]
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := caches.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
	}
}

func TestReadFileFailsAsOthersDo(t *testing.T) {
	dir := t.TempDir()
	if _, err := caches.ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	var at *fs.PathError
	if _, err := caches.ReadFile(dir); !errors.Is(err, syscall.EISDIR) || !errors.As(err, &at) || at.Path != dir {
		t.Errorf("a directory: %v", err)
	}
}

func TestReadFileDoesNotWaitForAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := caches.ReadFile(path); len(data) > 0 {
		t.Errorf("read %q, %v", data, err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := caches.ReadFile(path); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("with a writer that says nothing: %v", err)
	}
}

func TestReadNames(t *testing.T) {
	dir := t.TempDir()
	if names, err := caches.ReadNames(dir); err != nil || len(names) != 0 {
		t.Errorf("an empty folder: %q, %v", names, err)
	}
	var want []string
	for n := range 1000 {
		want = append(want, fmt.Sprintf("a name that is long enough for several calls %04d", n))
		if err := os.WriteFile(filepath.Join(dir, want[n]), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := caches.ReadNames(dir)
	slices.Sort(names)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("read %d names, %v, want %d", len(names), err, len(want))
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for path, refused := range map[string]error{
		link: syscall.ENOTDIR, filepath.Join(dir, want[0]): syscall.ENOTDIR, filepath.Join(dir, "none"): fs.ErrNotExist,
	} {
		if names, err := caches.ReadNames(path); !errors.Is(err, refused) {
			t.Errorf("%s: %q, %v, want %v", path, names, err, refused)
		}
	}
}

func TestReadGlanceSeesLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	at := time.Unix(1_700_000_000, 5000)
	if err := errors.Join(os.WriteFile(path, []byte("text"), 0o644), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
	look := func(locked bool) {
		t.Helper()
		got, err := caches.ReadGlance(path)
		want := caches.Glance{Data: []byte("text"), Changed: at, Locked: locked}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	look(false)
	for _, how := range []int{unix.LOCK_SH, unix.LOCK_EX} {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := caches.Flock(file, how); err != nil {
			t.Fatal(err)
		}
		look(true)
		file.Close()
		look(false)
	}
	if _, err := caches.ReadGlance(path + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReadFileHasABound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]error{4: syscall.EFBIG, 5: nil, 0: syscall.EFBIG} {
		if _, err := caches.ReadAtMost(path, most); !errors.Is(err, want) {
			t.Errorf("5 bytes where %d may be: %v", most, err)
		}
	}
	if err := os.Truncate(path, 1<<40); err != nil { // a hole, which takes no room
		t.Fatal(err)
	}
	if _, err := caches.ReadFile(path); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("a file of a terabyte: %v", err)
	}
}
