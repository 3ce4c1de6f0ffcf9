package caches

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestWriteFileIsReadWhole(t *testing.T) {
	layout := open(t)
	path := filepath.Join(layout.Named(), "new", "head")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	write := func(i int) {
		if err := layout.WriteFile(path, contents[i%2], 0o644); err != nil {
			t.Error(err)
		}
	}
	write(0)
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		writers.Go(func() {
			for i := range 100 {
				write(i)
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, err := os.ReadFile(path)
				if err != nil || !bytes.Equal(data, contents[0]) && !bytes.Equal(data, contents[1]) {
					t.Errorf("read %d bytes, %v: neither the one nor the other", len(data), err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if left, err := os.ReadDir(layout.Temp()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestWriteFileSetsTheMode(t *testing.T) {
	layout := open(t)
	for _, mode := range []os.FileMode{0o600, 0o644, 0o755} {
		path := filepath.Join(layout.Index(), "file")
		if err := layout.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
	}
}

func TestWriteFileThatFailsLeavesTheOld(t *testing.T) {
	layout := open(t)
	path := filepath.Join(layout.Index(), "folder")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := layout.WriteFile(path, []byte("x"), 0o644); err == nil {
		t.Error("a file replaced a directory")
	}
	if left, err := os.ReadDir(layout.Temp()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "deep", "er", "to")
	for _, text := range []string{"one", "two"} {
		put(t, from, text)
		if err := Replace(from, to); err != nil {
			t.Fatal(err)
		}
		if got := content(t, to); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		if _, err := os.Lstat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the source is still there: %v", err)
		}
	}
	if err := Replace(filepath.Join(dir, "nothing"), to); !errors.Is(err, fs.ErrNotExist) || content(t, to) != "two" {
		t.Errorf("replaced by nothing: %v, %q", err, content(t, to))
	}
}

func TestSettleKeepsTheFirst(t *testing.T) {
	ways := map[string]func(from, to string) error{"by rename": Settle, "by link": settleByLink}
	for name, settle := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			one, two, to := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "to")
			put(t, one, "first")
			put(t, two, "second")
			if err := settle(one, to); err != nil {
				t.Fatal(err)
			}
			if err := settle(two, to); !errors.Is(err, fs.ErrExist) {
				t.Errorf("the second: %v; want fs.ErrExist", err)
			}
			if content(t, to) != "first" || content(t, two) != "second" {
				t.Errorf("in place %q, the second is %q", content(t, to), content(t, two))
			}
		})
	}
}

func TestSettleByManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "new", "to")
	settled := make(chan string, 8)
	var group sync.WaitGroup
	for i := range 8 {
		from := filepath.Join(dir, string(rune('a'+i)))
		put(t, from, from)
		group.Go(func() {
			switch err := Settle(from, to); {
			case err == nil:
				settled <- from
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(settled)
	if first := <-settled; content(t, to) != first || len(settled) > 0 {
		t.Errorf("in place %q, settled %q and %d more", content(t, to), first, len(settled))
	}
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
