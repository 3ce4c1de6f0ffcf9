package cas

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/digest"
)

// sampleRoot stores the sample tree and returns it as one entry.
func sampleRoot(t testing.TB, store *Store) digest.Entry {
	t.Helper()
	layOut(t, store, sampleFiles(), sampleRest()...)
	tree, err := treeOf(sampleFiles(), sampleRest()...)
	if err != nil {
		t.Fatal(err)
	}
	return digest.Entry{Kind: digest.KindDirectory, Digest: tree.Root}
}

func fileEntry(d digest.Digest) digest.Entry { return digest.Entry{Kind: digest.KindFile, Digest: d} }

func export(t testing.TB, store *Store, entry digest.Entry, dest string) {
	t.Helper()
	if err := store.Export(t.Context(), entry, dest); err != nil {
		t.Fatal(err)
	}
}

func TestExportWritesATree(t *testing.T) {
	store, dest := open(t), filepath.Join(t.TempDir(), "made", "dest")
	export(t, store, sampleRoot(t, store), dest)
	wantSample(t, dest)
	if stat(t, filepath.Join(dest, "README")).Ino == stat(t, store.path(of("read me"), plain)).Ino {
		t.Error("what was handed to a user shares its file with a blob")
	}
}

func TestExportOverWhatIsThere(t *testing.T) {
	store, dest := open(t), t.TempDir()
	put(t, filepath.Join(dest, "README"), "old")
	put(t, filepath.Join(dest, "bin/tool"), "#!/bin/sh\n") // right, but not executable
	if err := os.Symlink("/elsewhere", filepath.Join(dest, "out")); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(filepath.Join(dest, "README"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	export(t, store, sampleRoot(t, store), dest)
	wantSample(t, dest)
	text := make([]byte, 10)
	if n, err := old.Read(text); err != nil || string(text[:n]) != "old" {
		t.Errorf("who had the file open reads %q, %v; want the old file", text[:n], err)
	}
}

func TestExportKeepsOtherFiles(t *testing.T) {
	store, dest := open(t), t.TempDir()
	put(t, filepath.Join(dest, "src/mine.py"), "mine")
	put(t, filepath.Join(dest, "empty/mine"), "mine")
	export(t, store, sampleRoot(t, store), dest)
	for _, path := range []string{"src/mine.py", "empty/mine"} {
		if content(t, filepath.Join(dest, path)) != "mine" {
			t.Errorf("%s was changed", path)
		}
	}
}

func TestExportSparesWhatIsUpToDate(t *testing.T) {
	store, dest := open(t), t.TempDir()
	path := filepath.Join(dest, "README")
	put(t, path, "read me")
	before := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	export(t, store, sampleRoot(t, store), dest)
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(before) {
		t.Errorf("%v, %v; want the time %v", info, err, before)
	}
	put(t, path, "read he") // as long
	export(t, store, sampleRoot(t, store), dest)
	if content(t, path) != "read me" {
		t.Error("a file of the same length counts as up to date")
	}
}

func TestExportFollowsNoLinkBelow(t *testing.T) {
	store, dest, outside := open(t), t.TempDir(), t.TempDir()
	put(t, filepath.Join(outside, "a.py"), "theirs")
	if err := os.Symlink(outside, filepath.Join(dest, "src")); err != nil {
		t.Fatal(err)
	}
	err := store.Export(t.Context(), sampleRoot(t, store), dest)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dest, "src")) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("%v; want the link refused by its name", err)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) != 1 || content(t, filepath.Join(outside, "a.py")) != "theirs" {
		t.Errorf("something was written through the link: %v, %v", names, err)
	}
}

func TestExportReplacesALinkByAFile(t *testing.T) {
	store, dest := open(t), t.TempDir()
	secret, link := filepath.Join(dest, "secret"), filepath.Join(dest, "link")
	put(t, secret, "text")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	export(t, store, fileEntry(add(t, store, "other")), link)
	export(t, store, fileEntry(add(t, store, "text")), filepath.Join(dest, "file"))
	if content(t, secret) != "text" || content(t, link) != "other" || stat(t, link).Mode&0o170000 != 0o100000 {
		t.Errorf("the secret is %q, the link %q", content(t, secret), content(t, link))
	}
}

func TestExportDoesNotMixKinds(t *testing.T) {
	store, dir := open(t), t.TempDir()
	plainFile, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	put(t, plainFile, "mine")
	put(t, filepath.Join(folder, "mine"), "mine")
	for what, c := range map[string]struct {
		entry digest.Entry
		dest  string
	}{
		"a directory over a file": {sampleRoot(t, store), plainFile},
		"a file over a directory": {fileEntry(add(t, store, "text")), folder},
		"a link over a directory": {digest.Entry{Kind: digest.KindSymlink, Target: "x"}, folder},
	} {
		err := store.Export(t.Context(), c.entry, c.dest)
		if err == nil || !strings.Contains(err.Error(), c.dest) || !strings.Contains(err.Error(), "remove it or choose another place") {
			t.Errorf("%s: %v; want it refused", what, err)
		}
	}
	if content(t, plainFile) != "mine" || content(t, filepath.Join(folder, "mine")) != "mine" {
		t.Error("something of the user's was lost")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestExportHandsOutNoDamage(t *testing.T) {
	store, dest := open(t), filepath.Join(t.TempDir(), "file")
	d := add(t, store, "good bytes")
	put(t, store.path(d, plain), "evil bytes")
	if err := store.Export(t.Context(), fileEntry(d), dest); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v; want ErrCorrupt", err)
	}
	if names, err := os.ReadDir(filepath.Dir(dest)); err != nil || len(names) > 0 {
		t.Errorf("written all the same: %v, %v", names, err)
	}
}
