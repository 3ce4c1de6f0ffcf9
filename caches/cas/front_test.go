package cas

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A store in front of another reads both and adds to itself only.
func TestInFrontOf(t *testing.T) {
	behind := open(t)
	front := InFrontOf(open(t).layout, behind)
	old := add(t, behind, "old")
	if data, err := front.Blob(t.Context(), old); err != nil || string(data) != "old" {
		t.Errorf("a blob behind: %q, %v", data, err)
	}
	fresh := add(t, front, "fresh")
	if !front.Has(fresh) || behind.Has(fresh) {
		t.Error("a blob was not added to the front alone")
	}
	if _, err := front.Blob(t.Context(), of("none")); !errors.Is(err, ErrMissing) {
		t.Errorf("a blob that nobody has: %v", err)
	}
}

// An output that the store behind did not take is taken as it is.
func TestInFrontOfAdopts(t *testing.T) {
	front := InFrontOf(open(t).layout, open(t))
	path := filepath.Join(t.TempDir(), "out")
	put(t, path, "made")
	d, err := front.Adopt(t.Context(), path, plain)
	if err != nil || d != of("made") || !front.Has(d) || front.behind.Has(d) {
		t.Errorf("%s, %v", d, err)
	}
}

// A tree that is laid out behind is used there; one that is not is laid out in
// front, from blobs of both.
func TestInFrontOfLaysOutTrees(t *testing.T) {
	behind := open(t)
	front := InFrontOf(open(t).layout, behind)
	tree, err := treeOf(map[string]file{"a": {text: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	add(t, behind, "one")
	inFront, err := front.Tree(t.Context(), tree, TreeOptions{})
	if err != nil || content(t, filepath.Join(inFront[0].Path, "a")) != "one" {
		t.Fatalf("%v, %v", inFront, err)
	}
	if _, err := os.Lstat(behind.treesFolder()); err == nil {
		t.Error("something was laid out behind")
	}
	there, err := behind.Tree(t.Context(), tree, TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := front.Tree(t.Context(), tree, TreeOptions{}); err != nil || again[0].Path != there[0].Path {
		t.Errorf("%v, %v; want the tree behind, %v", again, err, there)
	}
}

// A failed Adopt leaves the file: it may be the only copy of an output.
func TestAdoptThatFailsLeavesTheFile(t *testing.T) {
	store := open(t)
	path := filepath.Join(t.TempDir(), "out")
	put(t, path, "made")
	in := filepath.Dir(store.path(of("made"), plain))
	if err := os.MkdirAll(filepath.Dir(in), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, in, "in the way")
	if _, err := store.Adopt(t.Context(), path, plain); err == nil {
		t.Fatal("a file was placed below a file")
	}
	if got := content(t, path); got != "made" {
		t.Errorf("the file holds %q", got)
	}
}
