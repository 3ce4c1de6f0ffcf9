package caches_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

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
