package digest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func subset(src shelf, root Digest, patterns ...string) (Digest, error) {
	return Subset(context.Background(), src, src.Sink(BLAKE3), root, patterns)
}

func TestSubset(t *testing.T) {
	tree := treeOf(t, "src/a.py", "src/b.txt", "src/deep/c.py", "src/empty/", "lib/l -> a", "lib/x.py", "top.py", "void/")
	for patterns, want := range map[string]string{
		".":                "lib/ lib/l -> a lib/x.py src/ src/a.py src/b.txt src/deep/ src/deep/c.py src/empty/ top.py void/",
		"*.py":             "lib/ lib/x.py src/ src/a.py src/deep/ src/deep/c.py top.py",
		"*.py !src":        "lib/ lib/x.py top.py",
		"src !*.py":        "src/ src/b.txt src/empty/",
		"src !*.py c.py":   "src/ src/b.txt src/deep/ src/deep/c.py src/empty/",
		"/src/deep":        "src/ src/deep/ src/deep/c.py",
		"lib/l":            "lib/ lib/l -> a",
		"void/":            "void/",
		"src/empty top.py": "src/ src/empty/ top.py",
		"*.none":           "",
		". !.":             "",
		"lib/* !lib/l":     "lib/ lib/x.py",
	} {
		s := newShelf(tree)
		got, err := subset(s, tree.Root, strings.Fields(patterns)...)
		if err != nil {
			t.Errorf("%s: %v", patterns, err)
			continue
		}
		if list := strings.Join(walked(t, s, got), " "); list != want {
			t.Errorf("%s: selected %q, want %q", patterns, list, want)
		}
	}
}

func TestSubsetReadsOnlyWhatItDivides(t *testing.T) {
	tree := treeOf(t, "a/deep/f", "b/g", "c/d/h", "c/e/i")
	for patterns, reads := range map[string]int{
		".":          1,
		"/a":         1,
		"/a /b":      1,
		". !/b":      1,
		". !b/g":     2,
		"c/d/h":      3,
		"c/d":        2,
		"/a a/deep":  2, // to see that there is an a/deep
		"a/deep !/a": 2, // the same
		"*":          1,
		"a":          5, // it may be anywhere but below /a, which is taken
		"f":          7,
	} {
		s := newShelf(tree)
		got, err := subset(s, tree.Root, strings.Fields(patterns)...)
		if err != nil || len(s.reads) != reads {
			t.Errorf("%s: %d directories were read, want %d (%v)", patterns, len(s.reads), reads, err)
		}
		if whole := patterns == "." || patterns == "*"; whole != (got == tree.Root) {
			t.Errorf("%s: got %s of %s", patterns, got, tree.Root)
		}
	}
}

func TestSubsetNamesWhatMatchesNothing(t *testing.T) {
	tree := treeOf(t, "src/a.py", "src/deep/c.py")
	for patterns, want := range map[string]string{
		"nope":                "nope",
		"src deep/c.py":       "deep/c.py", // a slash within anchors it to the root
		"/src /lib":           "/lib",
		"src ../x":            "leaves the root",
		"":                    ". selects everything",
		"src/a.py/f src/deep": "src/a.py/f",
	} {
		_, err := subset(newShelf(tree), tree.Root, strings.Fields(patterns)...)
		if !errors.Is(err, ErrPattern) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want ErrPattern with %s", patterns, err, want)
		}
	}
	for _, patterns := range []string{"", "!", "src//x", "/"} {
		if _, err := subset(newShelf(tree), tree.Root, patterns); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v, want ErrPattern", patterns, err)
		}
	}
}

// modelSubset asks for each file, link and empty directory by itself what the
// last pattern says that matches it or a directory above it, in which order a
// pattern further down the path counts only when it is a later one.
func modelSubset(list map[string]Entry, patterns []string) map[string]bool {
	kept := map[string]bool{}
	for path, e := range list {
		isLeaf := true
		for other := range list {
			isLeaf = isLeaf && !below(other, path)
		}
		if !isLeaf || !modelSelected(patterns, path, e.Kind == KindDirectory) {
			continue
		}
		for path != "" {
			kept[path] = true
			path, _, _ = cutLast(path)
		}
	}
	return kept
}

func modelSelected(patterns []string, path string, isDir bool) bool {
	for _, text := range slices.Backward(patterns) {
		glob, negated := strings.CutPrefix(text, "!")
		rule, ok := parseRule(glob)
		for at, dir := path, isDir; at != ""; dir = true {
			above, name, _ := cutLast(at)
			if ok && glob != "." && rule.matches(subject{path: at, name: name, isDirectory: dir}) {
				return !negated
			}
			at = above
		}
		if glob == "." {
			return !negated
		}
	}
	return false
}

func TestSubsetIsWhatTheModelSelects(t *testing.T) {
	globs := []string{".", "*", "a*", "*/b", "a/**", "**/b/", "b/*/a", "!a*", "!*/a", "!b/**", "!.", "[a]", "?/?"}
	rapid.Check(t, func(r *rapid.T) {
		tree := anyTree(r, "tree")
		patterns := rapid.SliceOfN(rapid.SampledFrom(globs), 1, 4).Draw(r, "patterns")
		want := modelSubset(flat(r, tree), patterns)
		s := newShelf(tree)
		got, err := subset(s, tree.Root, patterns...)
		if err != nil {
			r.Fatal(err)
		}
		found := map[string]bool{}
		err = Walk(context.Background(), s, got, func(path string, e Entry) error {
			found[path] = true
			return nil
		})
		if err != nil || !maps.Equal(found, want) {
			r.Fatalf("%v: selected %v, want %v", err, found, want)
		}
		again, err := subset(s, got, ".")
		if err != nil || again != got {
			r.Fatalf("all of it is %s, %v; want %s", again, err, got)
		}
	})
}

// TestPartsMergeToTheWhole: what a pattern selects and what it leaves merge to
// what there was, without a collision.
func TestPartsMergeToTheWhole(t *testing.T) {
	globs := []string{"*", "a*", "*/b", "a/**", "**/b/", "b/*/a"}
	rapid.Check(t, func(r *rapid.T) {
		tree := anyTree(r, "tree")
		glob := rapid.SampledFrom(globs).Draw(r, "glob")
		s := newShelf(tree)
		one, err := subset(s, tree.Root, glob)
		if err != nil {
			r.Fatal(err)
		}
		two, err := subset(s, tree.Root, ".", "!"+glob)
		if err != nil {
			r.Fatal(err)
		}
		merged, err := Merge(context.Background(), s, s.Sink(BLAKE3), []Producer{{"one", one}, {"two", two}}, nil)
		if err != nil || merged.Root != tree.Root {
			r.Fatalf("merged %v, %v; want %s", merged, err, tree.Root)
		}
	})
}
