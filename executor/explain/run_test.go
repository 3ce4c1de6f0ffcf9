package explain

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"larder/caches"
	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

func newPast(t *testing.T) Past {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return Past{Kept: results.NewFiles(layout), Trees: digest.Directories{}}
}

// treeOf is a tree with one file "in".
func treeOf(t *testing.T, text string) *digest.Tree {
	t.Helper()
	tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{{Path: "in", Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte(text))}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// keyOf is the key of a command with one variable.
func keyOf(tree *digest.Tree, value string) action.Key {
	a := action.Action{Argv: []string{"cat"}, Env: []action.Variable{{Name: "V", Value: value}}}
	return a.Key(tree.Root, []action.Property{{Name: "larder-host", Value: value}})
}

func TestRunSaysWhy(t *testing.T) {
	one, two := treeOf(t, "1"), treeOf(t, "2")
	before := keyOf(one, "a")
	last := results.Last{Line: results.LineOf("/", []string{"cat"}), Key: before.Digest.String()}
	last.Action, last.Command = before.Kept()
	failed, torn := last, last
	failed.NotKept, torn.Key, torn.Command = "it failed", "another", []byte{0xff}
	absent := results.Miss{Reason: results.Absent}
	for _, c := range []struct {
		last   results.Last
		missed executor.Missed
		want   string
	}{
		{results.Last{}, executor.Missed{Miss: absent, Key: before}, "no earlier run"},
		{last, executor.Missed{Miss: absent, Key: before}, "no longer in the store"},
		{failed, executor.Missed{Miss: absent, Key: before}, "not kept: it failed"},
		{torn, executor.Missed{Miss: absent, Key: before}, "its record is damaged"},
		{last, executor.Missed{Miss: absent, Key: keyOf(one, "b")}, "environment variable V changed: a -> b|besides: the packages of the host changed"},
		{last, executor.Missed{Miss: absent, Key: keyOf(two, "a"), Inputs: two}, "inputs changed|not all can be compared"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.NotAsked}}, "kept results are off"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.NotRead}, Key: before}, "--results write"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.LostBlob, What: "D"}, Key: before}, "D, which that needs, is gone"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.Changed, What: "/x"}, Key: before}, "/x, which --observe names"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.NeedsInput}, Key: before}, "</dev/null"},
		{last, executor.Missed{Miss: results.Miss{Reason: results.Unusable, What: "EIO"}, Key: before}, "cannot be used: EIO"},
	} {
		past := newPast(t)
		if c.last.Line != "" {
			if err := past.Kept.SaveLast(c.last); err != nil {
				t.Fatal(err)
			}
		}
		lines, err := past.Run(t.Context(), c.missed, last.Line)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(lines, "\n")
		for want := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(said, want) {
				t.Errorf("%+v: said\n%s\nwant %q", c.missed.Miss, said, want)
			}
		}
	}
}

// TestTheNewTreeNeedNotBeStored: of the trees only the old one has to be there.
func TestTheNewTreeNeedNotBeStored(t *testing.T) {
	past, one, two := newPast(t), treeOf(t, "1"), treeOf(t, "2")
	past.Trees = one.Directories()
	before, after := keyOf(one, "a"), keyOf(two, "a")
	last := results.Last{Line: results.LineOf("/", nil), Key: before.Digest.String()}
	last.Action, last.Command = before.Kept()
	if err := past.Kept.SaveLast(last); err != nil {
		t.Fatal(err)
	}
	lines, err := past.Run(t.Context(), executor.Missed{Miss: results.Miss{Reason: results.Absent}, Key: after, Inputs: two}, last.Line)
	if said := strings.Join(lines, "\n"); err != nil || !strings.Contains(said, "  in: file") || !strings.Contains(said, before.Digest.String()+" "+after.Digest.String()) {
		t.Errorf("%s, %v", said, err)
	}
}

// TestActionsAreFoundByTheirKeys: of kept results, and of last runs.
func TestActionsAreFoundByTheirKeys(t *testing.T) {
	past, tree := newPast(t), treeOf(t, "1")
	kept, failed := keyOf(tree, "kept"), keyOf(tree, "failed")
	record := &results.Record{Format: results.Format}
	record.Action, record.Command = kept.Kept()
	if err := past.Kept.Save(t.Context(), kept.Digest, record); err != nil {
		t.Fatal(err)
	}
	last := results.Last{Line: results.LineOf("/", nil), Key: failed.Digest.String()}
	last.Action, last.Command = failed.Kept()
	if err := past.Kept.SaveLast(last); err != nil {
		t.Fatal(err)
	}
	a, err := past.Action(kept.Digest)
	b, err2 := past.Action(failed.Digest)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	found, err := past.Differences(t.Context(), a, b, FewPaths())
	if err != nil || len(found) != 2 || *found[0].Before != "kept" || *found[0].After != "failed" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := past.Action(keyOf(tree, "nobody's").Digest); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v; want ErrUnknown", err)
	}
	if said := strings.Join(Lines("a", "b", nil), ""); !strings.Contains(said, "nothing is known") {
		t.Error(said)
	}
}
