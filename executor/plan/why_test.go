package plan

import (
	"testing"

	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/action/compare"
)

// TestWhy goes through the reasons that one action can have.
func TestWhy(t *testing.T) {
	g, err := graphOf(t, `{"schema": 1, "actions": [{"name": "a", "argv": ["one"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	dirs := digest.Directories{}
	tree := func(entries ...digest.Entry) digest.Digest {
		made, err := digest.FromEntries(digest.BLAKE3, entries)
		if err != nil {
			t.Fatal(err)
		}
		for d, message := range made.Directories() {
			dirs[d] = message
		}
		return made.Root
	}
	file := func(path, text string) digest.Entry {
		return digest.Entry{Path: path, Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte(text))}
	}
	keyOf := func(a action.Action, root digest.Digest) action.Key { return a.Key(root, nil) }
	plain := action.Action{Argv: []string{"one"}, Env: []action.Variable{{Name: "A", Value: "1"}}}
	before := keyOf(plain, tree(file("d/x", "1"), file("d/y", "1")))
	look := Look{
		Output: func(int) string { return "" },
		Action: func(key string) (compare.Action, bool) {
			decoded, err := compare.Decode(digest.BLAKE3, before.Action, before.Command)
			return decoded, key == before.Digest.String() && err == nil
		},
		Trees: func(old, fresh digest.Digest) *compare.TreeChanges {
			changes, err := compare.Trees(t.Context(), dirs, old, fresh, compare.Bounds{Shown: 1, Counted: 10})
			if err != nil {
				t.Error(err)
			}
			return changes
		},
	}
	absent := results.Miss{Reason: results.Absent}
	past := Past{Key: before.Digest.String(), Inputs: tree(file("d/x", "1"), file("d/y", "1")).String()}
	failed := past
	failed.NotKept, failed.Action, failed.Command = "it failed", before.Action, before.Command
	withB := action.Action{Argv: plain.Argv, Env: []action.Variable{{Name: "B", Value: "1"}}}
	for _, c := range []struct {
		past Past
		miss results.Miss
		key  action.Key
		want string
	}{
		{Past{}, absent, before, "the first time"},
		{past, results.Miss{Reason: results.NotAsked}, action.Key{}, "kept results were not asked for"},
		{past, results.Miss{Reason: results.NotRead}, before, "kept results were only to be written"},
		{past, absent, before, "its kept result is gone"},
		{failed, absent, before, "it failed the last time"},
		{past, results.Miss{Reason: results.LostBlob, What: "d"}, before, "a part of its kept result is gone"},
		{past, results.Miss{Reason: results.Changed, What: "/etc/hosts"}, before, "/etc/hosts, which it observes, changed"},
		{past, absent, keyOf(action.Action{Argv: []string{"two"}}, tree()), "argv changed"},
		{failed, absent, keyOf(action.Action{Argv: []string{"two"}}, tree()), "argv changed"},
		{past, absent, keyOf(withB, tree()), "env A is gone"},
		{past, absent, keyOf(plain, tree(file("d/x", "2"), file("d/y", "1"))), "input d/x changed"},
		{past, absent, keyOf(plain, tree(file("d/x", "2"), file("d/y", "2"))), "input d/x changed, and 1 more"},
		{past, absent, keyOf(plain, digest.Of(digest.BLAKE3, []byte("pruned"))), "its inputs changed"},
		{Past{Key: "forgotten", Inputs: "x"}, absent, before, "its inputs changed"},
		{Past{Key: "forgotten", Inputs: past.Inputs}, absent, before, "its command, its tools or the host changed"},
	} {
		decoded, err := compare.Decode(digest.BLAKE3, c.key.Action, c.key.Command)
		if err != nil {
			t.Fatal(err)
		}
		report := Report{Missed: executor.Missed{Miss: c.miss, Key: c.key}, Result: &action.Result{InputDigest: decoded.Input.String()}}
		if got := (History{"a": c.past}).Why(g, report, look); got != c.want {
			t.Errorf("%+v, %+v: %q, want %q", c.past, c.miss, got, c.want)
		}
	}
}
