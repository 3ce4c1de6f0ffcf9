package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder/digest"
)

// describe lists what is below dir: path to mode and content.
func describe(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			text += " " + content(t, path)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text = "-> " + target
		}
		found[strings.TrimPrefix(path, dir+"/")] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantSample(t testing.TB, dir string) {
	t.Helper()
	want := map[string]string{
		"README": "-rw-r--r-- read me", "bin": "drwxr-xr-x", "bin/tool": "-rwxr-xr-x #!/bin/sh\n", "bin/copy": "-rw-r--r-- #!/bin/sh\n",
		"src": "drwxr-xr-x", "src/a.py": "-rw-r--r-- one", "src/b.py": "-rw-r--r-- two", "src/again.py": "-rw-r--r-- one",
		"src/deep": "drwxr-xr-x", "src/deep/er": "drwxr-xr-x", "src/deep/er/c.py": "-rw-r--r-- ",
		"empty": "drwxr-xr-x", "src/link": "-> ../README", "out": "-> /etc/passwd",
	}
	got := describe(t, dir)
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s is %q, want %q", path, got[path], text)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s is there", path)
		}
	}
}

func TestTreeHasAllThatATreeCanHave(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	store := open(t)
	dir := layOut(t, store, sampleFiles(), sampleRest()...)
	wantSample(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the top: %v, %v", info, err)
	}
	if again := layOut(t, store, sampleFiles(), sampleRest()...); again != dir {
		t.Errorf("laid out twice: %s and %s", dir, again)
	}
	wantNothingLeft(t, store)
}

func TestTreeSharesItsFilesWithTheBlobs(t *testing.T) {
	store := open(t)
	dir := layOut(t, store, sampleFiles())
	one, again := stat(t, filepath.Join(dir, "src/a.py")), stat(t, filepath.Join(dir, "src/again.py"))
	if blob := stat(t, store.path(of("one"), plain)); one.Ino != blob.Ino || again.Ino != blob.Ino {
		t.Error("equal files are not links to one blob")
	}
	tool, copied := stat(t, filepath.Join(dir, "bin/tool")), stat(t, filepath.Join(dir, "bin/copy"))
	if tool.Ino == copied.Ino {
		t.Error("an executable shares its file with one that is none")
	}
}

func TestTimesFollowTheContent(t *testing.T) {
	timeOf := func(dir, path string) time.Time {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	one := layOut(t, open(t), sampleFiles())
	edited := sampleFiles()
	edited["src/b.py"] = file{"tow", false}
	two := layOut(t, open(t), edited)
	if !timeOf(one, "src/a.py").Equal(timeOf(two, "src/a.py")) {
		t.Error("an unchanged file has another time in another store")
	}
	if timeOf(one, "src/b.py").Equal(timeOf(two, "src/b.py")) {
		t.Error("an edit that keeps the length keeps the time")
	}
	if !timeOf(one, "src").Equal(timeOf(two, "src")) {
		t.Error("the time of a directory depends on when it was made")
	}
}

func TestModTimesSpreadWithinTheirRange(t *testing.T) {
	first, last := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[time.Time]bool{}
	for i := range 1000 {
		at := ModTime(of(fmt.Sprint(i)))
		if at.Before(first) || !at.Before(last) || at.Nanosecond() != 0 {
			t.Fatalf("%v is out of its range", at)
		}
		seen[at] = true
	}
	if len(seen) < 995 {
		t.Errorf("1000 files have only %d times", len(seen))
	}
}

func TestTreeByManyAtOnce(t *testing.T) {
	store := open(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		sources := t.TempDir()
		group.Go(func() {
			command := exec.Command(program, sources)
			command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", helperVariable+"="+store.layout.Root())
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("a process: %v: %s", err, out)
			}
		})
	}
	for range 8 {
		sources := t.TempDir()
		group.Go(func() {
			if err := layOutSample(store, sources); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantSample(t, layOut(t, store, sampleFiles(), sampleRest()...))
	wantNothingLeft(t, store)
}

func TestTreeWithoutABlob(t *testing.T) {
	store := open(t)
	tree, err := treeOf(sampleFiles())
	if err != nil {
		t.Fatal(err)
	}
	for what, origin := range map[string]Origin{
		"no origin": nil, "an origin that lacks it": func(digest.Digest) (string, bool) { return "", false },
	} {
		if _, err := store.Tree(t.Context(), tree, TreeOptions{Origin: origin}); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %v; want ErrMissing", what, err)
		}
	}
	elsewhere := func(digest.Digest) (string, bool) { return os.Args[0], true }
	if _, err := store.Tree(t.Context(), tree, TreeOptions{Origin: elsewhere}); !errors.Is(err, ErrChanged) {
		t.Errorf("an origin with other content: %v; want ErrChanged", err)
	}
	wantNothingLeft(t, store)
	if layers, err := os.ReadDir(store.layout.Layers()); err != nil || len(layers) > 0 {
		t.Errorf("a tree that failed has a name: %v, %v", layers, err)
	}
	wantSample(t, layOut(t, store, sampleFiles(), sampleRest()...))
}

func TestTreeTakesNoBlobThatWasCutShort(t *testing.T) {
	store := open(t)
	d := add(t, store, "whole")
	for _, lost := range []Form{plain, executable} {
		put(t, store.path(d, lost), "")
	}
	dir := layOut(t, store, map[string]file{"a": {"whole", false}, "b": {"whole", true}})
	if a, b := content(t, filepath.Join(dir, "a")), content(t, filepath.Join(dir, "b")); a != "whole" || b != "whole" {
		t.Errorf("laid out %q and %q", a, b)
	}
}

func TestTreeGoesPastADamagedOtherForm(t *testing.T) {
	store := open(t)
	d := add(t, store, "whole")
	put(t, store.path(d, plain), "holed")
	dir := layOut(t, store, map[string]file{"b": {"whole", true}})
	if got := content(t, filepath.Join(dir, "b")); got != "whole" {
		t.Errorf("laid out %q", got)
	}
}

func TestTreeEndsWhenCancelled(t *testing.T) {
	store := open(t)
	tree, err := treeOf(sampleFiles())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Tree(ctx, tree, TreeOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want it cancelled", err)
	}
	wantNothingLeft(t, store)
}

// TestTreeOfMoreLinksThanAFileCanHave: ext4 allows 65,000 names for one file.
func TestTreeOfMoreLinksThanAFileCanHave(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 65,000 links")
	}
	store := open(t)
	blob := store.path(add(t, store, "all alike"), plain)
	for i := range 65_000 {
		if err := syscall.Link(blob, fmt.Sprintf("%s/%d", store.layout.Index(), i)); err != nil {
			break // the limit of this file system
		}
	}
	files := map[string]file{}
	for i := range 20 {
		files[fmt.Sprint(i)] = file{"all alike", false}
	}
	dir := layOut(t, store, files)
	for name := range files {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o644 || !info.ModTime().Equal(ModTime(of("all alike"))) || content(t, path) != "all alike" {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

func TestAddTreeStoresWhatWasScanned(t *testing.T) {
	store, root := open(t), t.TempDir()
	for path, f := range sampleFiles() {
		put(t, filepath.Join(root, path), f.text)
	}
	tree, err := digest.Scan(t.Context(), root, digest.ScanOptions{Function: digest.BLAKE3, Patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.AddTree(t.Context(), tree, root); err != nil {
		t.Fatal(err)
	}
	if whole, err := store.HasTree(t.Context(), tree.Root); err != nil || !whole {
		t.Errorf("the tree is whole: %v, %v", whole, err)
	}
	put(t, filepath.Join(root, "README"), "changed since")
	if err := open(t).AddTree(t.Context(), tree, root); !errors.Is(err, ErrChanged) {
		t.Errorf("a file that changed: %v; want ErrChanged", err)
	}
}

func TestHasTreeMissesEachBlob(t *testing.T) {
	store := open(t)
	layOut(t, store, sampleFiles(), sampleRest()...)
	tree, err := treeOf(sampleFiles(), sampleRest()...)
	if err != nil {
		t.Fatal(err)
	}
	whole := func() bool {
		has, err := store.HasTree(t.Context(), tree.Root)
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	needed := map[digest.Digest]bool{tree.Root: true}
	for d := range tree.Directories() {
		needed[d] = true
	}
	for _, f := range sampleFiles() {
		needed[of(f.text)] = true
	}
	for d := range needed {
		hide := func(from, to string) {
			for _, f := range []Form{plain, executable} {
				_ = os.Rename(store.path(d, f)+from, store.path(d, f)+to)
			}
		}
		if hide("", ".away"); whole() {
			t.Errorf("whole without %s", d)
		}
		if hide(".away", ""); !whole() {
			t.Errorf("not whole with %s back", d)
		}
	}
	put(t, store.path(tree.Root, plain), strings.Repeat("x", int(tree.Root.Size())))
	if whole() {
		t.Error("whole with a damaged directory")
	}
}
