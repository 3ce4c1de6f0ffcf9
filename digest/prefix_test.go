package digest

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAddPrefixAndStripPrefix(t *testing.T) {
	tree, ctx := treeOf(t, "a/x", "l -> a", "e/"), context.Background()
	s := newShelf(tree)
	whole, err := AddPrefix(ctx, s, s.Sink(BLAKE3), tree.Root, "p/a b/ü")
	want := []string{"p/", "p/a b/", "p/a b/ü/", "p/a b/ü/a/", "p/a b/ü/a/x", "p/a b/ü/e/", "p/a b/ü/l -> a"}
	if err != nil || !slices.Equal(walked(t, s, whole), want) {
		t.Fatalf("%v: %q, want %q", err, walked(t, s, whole), want)
	}
	if len(s.reads) != 6 { // five of the walks, and the root
		t.Errorf("%d directories were read", len(s.reads))
	}
	if same, err := AddPrefix(ctx, s, nil, tree.Root, "."); err != nil || same != tree.Root {
		t.Errorf("prefix .: %s, %v", same, err)
	}
	if same, err := StripPrefix(ctx, s, whole, "."); err != nil || same != whole {
		t.Errorf("strip .: %s, %v", same, err)
	}
}

func TestStripPrefixLosesNothing(t *testing.T) {
	tree := treeOf(t, "a/b/x", "a/other\n", "f", "g")
	_, err := StripPrefix(context.Background(), newShelf(tree), tree.Root, "a/b")
	if !errors.Is(err, ErrPrefix) || !strings.HasSuffix(err.Error(), `outside of it is f, g, "a/other\n"`) {
		t.Errorf("something is beside it: %v", err)
	}
}

func TestPrefixesThatAreNone(t *testing.T) {
	tree, ctx := treeOf(t, "a/x", "l -> a"), context.Background()
	s := newShelf(tree)
	for _, prefix := range []string{"", "/", "/a", "a/", "..", "a/../b", "./a", "a//b", "a\x00", "\xff"} {
		if d, err := AddPrefix(ctx, s, s.Sink(BLAKE3), tree.Root, prefix); !errors.Is(err, ErrPath) {
			t.Errorf("add %q: %s, %v; want ErrPath", prefix, d, err)
		}
		if d, err := StripPrefix(ctx, s, tree.Root, prefix); !errors.Is(err, ErrPath) {
			t.Errorf("strip %q: %s, %v; want ErrPath", prefix, d, err)
		}
	}
	for prefix, why := range map[string]string{"a/": "write it as a", "./a b": `write it as a b`, "a/../\n": `write it as "\n"`, "../a": "it leads out of the tree", "/": "it is absolute", "": ". is the root"} {
		_, err := AddPrefix(ctx, s, s.Sink(BLAKE3), tree.Root, prefix)
		if _, other := StripPrefix(ctx, s, tree.Root, prefix); !strings.Contains(err.Error(), why) || !strings.Contains(other.Error(), why) {
			t.Errorf("%q: said %v and %v; want %q", prefix, err, other, why)
		}
	}
	if _, err := StripPrefix(ctx, s, tree.Root, "a/x"); !strings.HasSuffix(err.Error(), "file does not exist as a directory: it is a file") {
		t.Errorf("a file: %v", err)
	}
	if _, err := AddPrefix(ctx, s, s.Sink(BLAKE3), tree.Root, strings.Repeat("d/", maxDepth)+"d"); !errors.Is(err, ErrTree) {
		t.Errorf("too deep: %v", err)
	}
	if _, err := AddPrefix(ctx, s, s.Sink(BLAKE3), Of(BLAKE3, []byte("?")), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such tree: %v", err)
	}
	for _, prefix := range []string{"b", "a/x", "l", "l/x", "a/b/c"} {
		if d, err := StripPrefix(ctx, s, tree.Root, prefix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("strip %q: %s, %v; want fs.ErrNotExist", prefix, d, err)
		}
	}
}

func TestStripPrefixUndoesAddPrefix(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tree := anyTree(r, "tree")
		prefix := rapid.StringMatching(`[a-c ]{1,2}(/[a-c.é]{3}){0,3}`).Draw(r, "prefix")
		s := newShelf(tree)
		whole, err := AddPrefix(context.Background(), s, s.Sink(BLAKE3), tree.Root, prefix)
		if err != nil {
			r.Fatal(err)
		}
		part, err := StripPrefix(context.Background(), s, whole, prefix)
		if err != nil || part != tree.Root {
			r.Fatalf("%s, %v; want %s", part, err, tree.Root)
		}
	})
}

func TestFingerprints(t *testing.T) {
	tree := treeOf(t, "a/x", "a-b", "l -> a", "e/", "a/y/z")
	var paths []string
	visit := func(file Entry) error {
		paths = append(paths, file.Path)
		if file.Digest != Of(BLAKE3, []byte(file.Path)) {
			t.Errorf("%s has digest %s", file.Path, file.Digest)
		}
		return nil
	}
	err := Fingerprints(context.Background(), newShelf(tree), tree.Root, visit)
	if err != nil || !slices.Equal(paths, []string{"a/x", "a/y/z", "a-b"}) {
		t.Errorf("%v: %q", err, paths)
	}
	stop := errors.New("stop")
	if err := Fingerprints(context.Background(), newShelf(tree), tree.Root, func(Entry) error { return stop }); err != stop {
		t.Errorf("%v, want the error of the visitor", err)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"plain name": "plain name", "ünï": "ünï", "": "", "a\nb": `"a\nb"`, `"`: `"\""`, `a\b`: `"a\\b"`, "\x1b[1m": `"\x1b[1m"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
}
