package digest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKnownFilesNeedNoListing names files that the index knows, in the ways that
// count and in others.
func TestKnownFilesNeedNoListing(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"src/a.c": "a", "src/sub/b.c": "#!b", "src/c.c": "c"})
	index := later(NewIndex(BLAKE3))
	scan := func(patterns ...string) *Tree {
		t.Helper()
		tree, err := Scan(t.Context(), root, ScanOptions{Function: BLAKE3, Patterns: patterns, Index: index})
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	isKnown := func(patterns ...string) bool {
		selection, err := newSelection(patterns, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, known := (&scanner{ctx: context.Background(), root: root, fn: BLAKE3, index: index, selection: selection}).known()
		return known
	}
	first := scan("src/a.c", "src/sub/b.c")
	if first.Stats.HashedFiles != 2 || !isKnown("src/a.c", "/src/sub/b.c") {
		t.Fatalf("%d files were read, and they are not known", first.Stats.HashedFiles)
	}
	again := scan("src/a.c", "./src/sub/b.c", "src/a.c")
	if again.Root != first.Root || again.Stats != (Stats{Files: 2}) {
		t.Errorf("again: %v, %+v; want %v", again.Root, again.Stats, first.Root)
	}
	for _, other := range []string{"src", "src/", "*.c", "src/*.c", "a.c", ".", "src/c.c", "src/none.c", "!src/a.c"} {
		if isKnown("src/a.c", other) {
			t.Errorf("%s is taken for a file that is known", other)
		}
	}
	// A link on the way is an error, and not followed to what is known.
	if err := os.Rename(filepath.Join(root, "src"), filepath.Join(root, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Symlink("moved", filepath.Join(root, "src")); err != nil {
		t.Fatal(err)
	}
	_, err := Scan(t.Context(), root, ScanOptions{Function: BLAKE3, Patterns: []string{"src/a.c"}, Index: index})
	if err == nil || !strings.Contains(err.Error(), "src is a symbolic link") {
		t.Errorf("a link on the way: %v", err)
	}
}

// TestSizeThatSaysNothing hashes a file of the kernel, which is empty by its size
// and is not.
func TestSizeThatSaysNothing(t *testing.T) {
	if d, err := FileDigest("/proc/version", nil); !errors.Is(err, ErrChanged) {
		t.Errorf("digest %s, error %v; want ErrChanged", d, err)
	}
}
