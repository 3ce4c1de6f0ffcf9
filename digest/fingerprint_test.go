package digest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fingerprint(t testing.TB, dir string) Digest {
	t.Helper()
	d, err := StateFingerprint(context.Background(), dir, SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStateFingerprintSees(t *testing.T) {
	for what, c := range map[string]struct {
		change func(path string) error
		seen   bool
	}{
		"content":          {func(p string) error { return os.WriteFile(p, []byte("longer content"), 0o644) }, true},
		"mtime":            {func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 1)) }, true},
		"permissions":      {func(p string) error { return os.Chmod(p, 0o600) }, true},
		"directory mode":   {func(p string) error { return os.Chmod(filepath.Dir(p), 0o700) }, true},
		"removed":          {os.Remove, true},
		"renamed":          {func(p string) error { return os.Rename(p, p+"2") }, true},
		"new file":         {func(p string) error { return os.WriteFile(p+"2", nil, 0o644) }, true},
		"new directory":    {func(p string) error { return os.Mkdir(p+"2", 0o755) }, true},
		"new FIFO":         {func(p string) error { return unix.Mkfifo(p+"2", 0o644) }, true},
		"odd name":         {func(p string) error { return os.WriteFile(p+"\xff", nil, 0o644) }, true},
		"other target":     {func(p string) error { l := p + "-link"; return errors.Join(os.Remove(l), os.Symlink("other", l)) }, true},
		"nothing":          {func(p string) error { return nil }, false},
		"hard link beyond": {func(p string) error { return os.Link(p, filepath.Join(t.TempDir(), "x")) }, false},
		"compiled Python":  {func(p string) error { return os.WriteFile(p+".pyc", nil, 0o644) }, false},
		"__pycache__": {func(p string) error {
			cache := filepath.Join(filepath.Dir(p), "__pycache__")
			return errors.Join(os.Mkdir(cache, 0o755), os.WriteFile(filepath.Join(cache, "x"), nil, 0o644))
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, map[string]string{"sub/file": "content", "sub/file-link": "-> file", "empty/": "", "other": "x"})
			before := fingerprint(t, dir)
			if err := c.change(filepath.Join(dir, "sub", "file")); err != nil {
				t.Fatal(err)
			}
			if seen := fingerprint(t, dir) != before; seen != c.seen {
				t.Errorf("seen %v, want %v", seen, c.seen)
			}
		})
	}
}

func TestStateFingerprintOfALinkAndOfNothing(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"real/x": "y", "link": "-> real"})
	if fingerprint(t, filepath.Join(dir, "link")) != fingerprint(t, filepath.Join(dir, "real")) {
		t.Error("a link to a directory has another fingerprint than the directory")
	}
	for _, name := range []string{"missing", "real/x"} {
		if _, err := StateFingerprint(context.Background(), filepath.Join(dir, name), BLAKE3); !errors.Is(err, ErrRoot) {
			t.Errorf("%s: error %v, want ErrRoot", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := StateFingerprint(ctx, dir, BLAKE3); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
