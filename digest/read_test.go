package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// treeOf makes a tree of paths in the spelling of describe.
func treeOf(t testing.TB, paths ...string) *Tree {
	t.Helper()
	var entries []Entry
	for _, p := range paths {
		plain, dir := strings.CutSuffix(p, "/")
		path, target, link := strings.Cut(plain, " -> ")
		e := Entry{Path: path, Kind: KindFile, Digest: Of(BLAKE3, []byte(path))}
		switch {
		case dir:
			e = Entry{Path: path, Kind: KindDirectory}
		case link:
			e = Entry{Path: path, Kind: KindSymlink, Target: target}
		}
		entries = append(entries, e)
	}
	tree, err := FromEntries(BLAKE3, entries)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func walked(t testing.TB, src Source, root Digest) []string {
	t.Helper()
	var out []string
	err := Walk(context.Background(), src, root, func(path string, e Entry) error {
		out = append(out, describe([]Entry{e})...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWalkIsInPathOrder(t *testing.T) {
	tree := treeOf(t, "a/x", "a-b", "a.c/y/", "l -> a", "z")
	got := walked(t, tree.Directories(), tree.Root)
	want := []string{"a/", "a/x", "a-b", "a.c/", "a.c/y/", "l -> a", "z"}
	if !slices.Equal(got, want) {
		t.Errorf("walked %q, want %q", got, want)
	}
}

func TestWalkStopsAndSkips(t *testing.T) {
	tree := treeOf(t, "a/x", "b/y", "c/z")
	delete(tree.Directories(), mustLookup(t, tree, "a").Digest) // so that it would be noticed
	stop := errors.New("stop")
	var seen []string
	err := Walk(context.Background(), tree.Directories(), tree.Root, func(path string, e Entry) error {
		seen = append(seen, path)
		switch path {
		case "a":
			return fs.SkipDir
		case "c":
			return stop
		}
		return nil
	})
	if err != stop || !slices.Equal(seen, []string{"a", "b", "b/y", "c"}) {
		t.Errorf("error %v after %q", err, seen)
	}
	err = Walk(context.Background(), tree.Directories(), tree.Root, func(string, Entry) error { return nil })
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("a directory is missing: error %v", err)
	}
}

func mustLookup(t testing.TB, tree *Tree, path string) Entry {
	t.Helper()
	e, err := Lookup(context.Background(), tree.Directories(), tree.Root, path)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWalkRefusesWrongContentAndDepth(t *testing.T) {
	tree := treeOf(t, "a/x")
	tree.Directories()[tree.Root] = []byte("other")
	visit := func(string, Entry) error { return nil }
	if err := Walk(context.Background(), tree.Directories(), tree.Root, visit); !errors.Is(err, ErrTree) {
		t.Errorf("wrong content: error %v, want ErrTree", err)
	}
	deep := Directories{}
	here := deep.put(t, Directory{})
	for range maxDepth + 1 {
		here = deep.put(t, Directory{Directories: []Sub{{"d", here}}})
	}
	if err := Walk(context.Background(), deep, here, visit); !errors.Is(err, ErrTree) {
		t.Errorf("too deep: error %v, want ErrTree", err)
	}
}

func (m Directories) put(t testing.TB, d Directory) Digest {
	t.Helper()
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m[Of(BLAKE3, data)] = data
	return Of(BLAKE3, data)
}

func TestLookup(t *testing.T) {
	tree := treeOf(t, "a/b/c", "a/l -> b", "a-b")
	for path, kind := range map[string]Kind{".": KindDirectory, "a": KindDirectory, "a/b": KindDirectory, "a/b/c": KindFile, "a/l": KindSymlink, "a-b": KindFile} {
		if e := mustLookup(t, tree, path); e.Kind != kind || e.Path != path {
			t.Errorf("%s: %+v, want a %s", path, e, kind)
		}
	}
	for path, want := range map[string]error{"x": fs.ErrNotExist, "a/b/d": fs.ErrNotExist, "a/l/c": fs.ErrNotExist, "a/b/c/d": fs.ErrNotExist, "": ErrPath, "../a": ErrPath, "/a": ErrPath, "a/": ErrPath, "./a": ErrPath} {
		if _, err := Lookup(context.Background(), tree.Directories(), tree.Root, path); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", path, err, want)
		}
	}
}

func TestGraft(t *testing.T) {
	base, lib, other := treeOf(t, "src/a", "lib/x", "link -> src"), treeOf(t, "x", "deep/y"), treeOf(t, "z")
	src := Directories{}
	for _, tree := range []*Tree{base, lib, other, treeOf(t)} {
		for d, data := range tree.Directories() {
			src[d] = data
		}
	}
	for name, c := range map[string]struct {
		root *Tree
		at   map[string]Digest
		want string
		err  error
	}{
		"nothing":          {base, nil, "lib/ lib/x link -> src src/ src/a", nil},
		"beside":           {base, map[string]Digest{"src/b": other.Root}, "lib/ lib/x link -> src src/ src/a src/b/ src/b/z", nil},
		"new directories":  {base, map[string]Digest{"p/q": other.Root}, "lib/ lib/x link -> src p/ p/q/ p/q/z src/ src/a", nil},
		"one in the other": {treeOf(t), map[string]Digest{"l/deep/more": other.Root, "l": lib.Root}, "l/ l/deep/ l/deep/more/ l/deep/more/z l/deep/y l/x", nil},
		"the root":         {treeOf(t), map[string]Digest{".": lib.Root, "w": other.Root}, "deep/ deep/y w/ w/z x", nil},
		"equal":            {base, map[string]Digest{"lib": mustLookup(t, base, "lib").Digest}, "lib/ lib/x link -> src src/ src/a", nil},
		"another":          {base, map[string]Digest{"lib": other.Root}, "", ErrCollision},
		"on a file":        {base, map[string]Digest{"src/a": other.Root}, "", ErrCollision},
		"below a file":     {base, map[string]Digest{"src/a/b": other.Root}, "", ErrCollision},
		"through a link":   {base, map[string]Digest{"link/b": other.Root}, "", ErrCollision},
		"on the root":      {base, map[string]Digest{".": other.Root}, "", ErrCollision},
		"bad path":         {base, map[string]Digest{"../x": other.Root}, "", ErrTree},
		"no such tree":     {base, map[string]Digest{"x": Of(BLAKE3, []byte("?"))}, "", fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			root, made, err := Graft(context.Background(), src, c.root.Root, c.at)
			if c.err != nil {
				if !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			g := grafter{src: src, made: made}
			if got := strings.Join(walked(t, &g, root), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFromEntriesRefuses(t *testing.T) {
	d := Of(BLAKE3, []byte("x"))
	file := func(path string) Entry { return Entry{Path: path, Kind: KindFile, Digest: d} }
	for what, entries := range map[string][]Entry{
		"empty path":       {file("")},
		"absolute":         {file("/a")},
		"dot dot":          {file("a/../b")},
		"slash at the end": {file("a/")},
		"not UTF-8":        {file("a\xff")},
		"twice":            {file("a"), file("a")},
		"file and below":   {file("a"), file("a/b")},
		"link and below":   {{Path: "a", Kind: KindSymlink, Target: "b"}, file("a/b")},
		"no digest":        {{Path: "a", Kind: KindFile}},
		"no target":        {{Path: "a", Kind: KindSymlink}},
		"no kind":          {{Path: "a", Digest: d}},
		"other function":   {{Path: "a", Kind: KindFile, Digest: Of(SHA256, nil)}},
		"too deep":         {file(strings.Repeat("d/", maxDepth+1) + "f")},
		"other directory":  {{Path: "a", Kind: KindDirectory, Digest: d}, file("a/b")},
	} {
		if _, err := FromEntries(BLAKE3, entries); !errors.Is(err, ErrTree) {
			t.Errorf("%s: error %v, want ErrTree", what, err)
		}
	}
}

func TestFromEntriesTakesWholeTreesByDigest(t *testing.T) {
	inner := treeOf(t, "x", "y/z")
	outer, err := FromEntries(BLAKE3, []Entry{{Path: "in", Kind: KindDirectory, Digest: inner.Root}})
	if err != nil {
		t.Fatal(err)
	}
	if want := treeOf(t, "in/"); outer.Root == want.Root || len(outer.Directories()) != 1 {
		t.Errorf("the tree became an empty directory, or was made up: %d directories", len(outer.Directories()))
	}
	for d, data := range inner.Directories() {
		outer.Directories()[d] = data
	}
	if got := fmt.Sprint(walked(t, outer.Directories(), outer.Root)); got != "[in/ in/x in/y/ in/y/z]" {
		t.Errorf("walked %s", got)
	}
}

// TestWalkUndoesFromEntries: what a walk finds makes the same tree again.
func TestWalkUndoesFromEntries(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		paths := rapid.SliceOfN(rapid.StringMatching(`[ab.]{1,2}x(/[ab-]{1,2}){0,4}`), 0, 15).Draw(r, "paths")
		var entries []Entry
		taken := map[string]bool{}
		for _, p := range paths {
			if !taken[p] {
				taken[p] = true
				entries = append(entries, Entry{Path: p, Kind: KindDirectory})
			}
		}
		tree, err := FromEntries(SHA256, entries)
		if err != nil {
			r.Fatal(err)
		}
		var found []Entry
		err = Walk(context.Background(), tree.Directories(), tree.Root, func(path string, e Entry) error {
			found = append(found, e)
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		again, err := FromEntries(SHA256, found)
		if err != nil || again.Root != tree.Root {
			r.Fatalf("made again: %v, %v; want root %s", again, err, tree.Root)
		}
		if !slices.IsSortedFunc(found, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) }) {
			r.Fatalf("not in path order: %q", describe(found))
		}
	})
}
