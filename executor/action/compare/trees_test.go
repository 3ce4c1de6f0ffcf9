package compare

import (
	"context"
	"errors"
	"strings"
	"testing"

	"larder/digest"
)

func treeOf(t *testing.T, dirs digest.Directories, entries ...digest.Entry) digest.Digest {
	t.Helper()
	tree, err := digest.FromEntries(digest.BLAKE3, entries)
	if err != nil {
		t.Fatal(err)
	}
	for d, message := range tree.Directories() {
		dirs[d] = message
	}
	return tree.Root
}

func file(path, text string) digest.Entry {
	return digest.Entry{Path: path, Kind: digest.KindFile, Digest: of(text)}
}

func TestTrees(t *testing.T) {
	dirs := digest.Directories{}
	script := file("d/run", "1")
	script.Executable = true
	before := treeOf(t, dirs, file("a", "1"), file("d/run", "1"), file("gone/x", "1"), file("gone/y", "1"), file("same/x", "1"))
	after := treeOf(t, dirs, file("a", "2"), script, file("same/x", "1"), digest.Entry{Path: "to", Kind: digest.KindSymlink, Target: "a"})
	got, err := Trees(t.Context(), dirs, before, after, Bounds{Shown: 3, Counted: 10})
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(Difference{Component: Inputs, Trees: got}.Lines(), "\n")
	for _, want := range []string{"  a: file " + of("1").String() + " -> file " + of("2").String(), "  d/run: file " + of("1").String() + " -> executable " + of("1").String(), "  gone: directory ", " -> (none)", "and 1 more"} {
		if !strings.Contains(said, want) {
			t.Errorf("said\n%s\nwant %q", said, want)
		}
	}
	if strings.Contains(said, "same") || strings.Contains(said, "gone/x") {
		t.Errorf("said\n%s", said)
	}
	few, err := Trees(t.Context(), dirs, before, after, Bounds{Shown: 1, Counted: 2})
	if err != nil || !few.Uncounted || few.More != 1 || len(few.Paths) != 1 {
		t.Errorf("%+v, %v", few, err)
	}
	if none, err := Trees(t.Context(), dirs, before, before, Bounds{Shown: 1, Counted: 2}); err != nil || len(none.Paths) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	pruned, err := Trees(t.Context(), dirs, of("pruned"), after, Bounds{Shown: 1, Counted: 2})
	if err != nil || pruned.Unread == "" {
		t.Errorf("%+v, %v", pruned, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Trees(ended, dirs, before, after, Bounds{Shown: 1, Counted: 2}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
