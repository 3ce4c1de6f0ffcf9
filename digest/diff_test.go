package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// both reads the directories of two trees.
func both(one, two *Tree) Directories {
	all := maps.Clone(one.Directories())
	maps.Copy(all, two.Directories())
	return all
}

// changes lists what Diff visits, as "+path", "-path" and "~path".
func changes(t testing.TB, one, two *Tree, skip ...string) []string {
	t.Helper()
	var out []string
	err := Diff(context.Background(), both(one, two), one.Root, two.Root, func(c Change) error {
		sign := "~"
		if c.Before.Kind == 0 {
			sign = "+"
		} else if c.After.Kind == 0 {
			sign = "-"
		}
		out = append(out, sign+c.Path)
		if slices.Contains(skip, c.Path) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDiffVisitsEachDifference(t *testing.T) {
	one := treeOf(t, "a/same", "a/gone", "b/x", "b/y/z", "c", "kind", "l -> a", "same/deep/file")
	two := treeOf(t, "a/same", "a/made", "c", "d/new/file", "e/", "kind/file", "l -> b", "same/deep/file")
	want := []string{"~a", "-a/gone", "+a/made", "-b", "-b/x", "-b/y", "-b/y/z", "+d", "+d/new", "+d/new/file", "+e", "~kind", "+kind/file", "~l"}
	if got := changes(t, one, two); !slices.Equal(got, want) {
		t.Errorf("visited %q, want %q", got, want)
	}
	want = []string{"~a", "-b", "+d", "+e", "~kind", "~l"}
	if got := changes(t, one, two, "a", "b", "d", "kind"); !slices.Equal(got, want) {
		t.Errorf("with parts skipped: visited %q, want %q", got, want)
	}
	if got := changes(t, one, one); got != nil {
		t.Errorf("a tree differs from itself at %q", got)
	}
}

func TestDiffReadsNothingThatIsEqual(t *testing.T) {
	one, two := treeOf(t, "big/a", "big/b/c", "x/old"), treeOf(t, "big/a", "big/b/c", "x/new")
	src := both(one, two)
	delete(src, mustLookup(t, one, "big").Digest)
	delete(src, mustLookup(t, one, "big/b").Digest)
	seen := 0
	err := Diff(context.Background(), src, one.Root, two.Root, func(Change) error { seen++; return nil })
	if err != nil || seen != 3 {
		t.Errorf("%d changes, %v; want 3, without a look at the equal part", seen, err)
	}
	delete(src, two.Root)
	if err := Diff(context.Background(), src, one.Root, two.Root, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory is missing: %v", err)
	}
}

func TestDiffEndsWhenItIsTold(t *testing.T) {
	one, two := treeOf(t, "a/x"), treeOf(t, "a/y", "b")
	stop := errors.New("stop")
	err := Diff(context.Background(), both(one, two), one.Root, two.Root, func(c Change) error {
		if c.Path == "a/x" {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Errorf("%v; want the error of the visitor", err)
	}
}

func TestDiffIsWhatTheWalksDiffer(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		one, two := anyTree(r, "one"), anyTree(r, "two")
		want, old, fresh := map[string][2]Entry{}, flat(r, one), flat(r, two)
		for path := range union(old, fresh) {
			if old[path] != fresh[path] {
				want[path] = [2]Entry{old[path], fresh[path]}
			}
		}
		got, last := map[string][2]Entry{}, ""
		err := Diff(context.Background(), both(one, two), one.Root, two.Root, func(c Change) error {
			if last != "" && ComparePaths(last, c.Path) >= 0 {
				return fmt.Errorf("%q comes after %q", c.Path, last)
			}
			got[c.Path], last = [2]Entry{c.Before, c.After}, c.Path
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			r.Fatalf("%v; visited %v, want %v", err, got, want)
		}
	})
}

func union(one, two map[string]Entry) map[string]Entry {
	all := maps.Clone(one)
	maps.Copy(all, two)
	return all
}

// anyTree draws a tree of few names, so that two of them have much in common.
func anyTree(r *rapid.T, label string) *Tree {
	paths := rapid.SliceOfN(rapid.StringMatching(`[ab](/[ab]){0,3}`), 0, 8).Draw(r, label)
	slices.SortFunc(paths, ComparePaths)
	var entries []Entry
	for _, path := range paths {
		if last := len(entries) - 1; last >= 0 && (entries[last].Path == path || len(path) > len(entries[last].Path) && path[:len(entries[last].Path)+1] == entries[last].Path+"/") {
			continue
		}
		e := Entry{Path: path, Kind: KindFile, Digest: Of(BLAKE3, []byte(rapid.SampledFrom([]string{"1", "2"}).Draw(r, "text")))}
		switch rapid.IntRange(0, 4).Draw(r, "kind") {
		case 0:
			e = Entry{Path: path, Kind: KindDirectory}
		case 1:
			e = Entry{Path: path, Kind: KindSymlink, Target: "b"}
		case 2:
			e.Executable = true
		}
		entries = append(entries, e)
	}
	tree, err := FromEntries(BLAKE3, entries)
	if err != nil {
		r.Fatal(err)
	}
	return tree
}

func flat(r *rapid.T, tree *Tree) map[string]Entry {
	found := map[string]Entry{}
	err := Walk(context.Background(), tree.Directories(), tree.Root, func(path string, e Entry) error {
		found[path] = e
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return found
}
