package namedtest

import (
	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
)

var (
	replace = named.PublishOptions{OnConflict: caches.ConflictReplace}
	discard = named.PublishOptions{OnConflict: caches.ConflictDiscard}
	units   = named.PublishOptions{Unit: "pkg/*"}
)

// racing holds cases of two checkouts of one generation; one publishes first.
var racing = []struct {
	mode       caches.Mode
	name       string
	one, other string
	options    named.PublishOptions // of the other
	want       named.Outcome        // of the other
	holds      layertest.Tree
}{
	{mode: appendOnly, name: "disjoint", one: "echo 1 >x; mkdir e; echo 1 >e/x", other: "echo 2 >y; mkdir e; echo 2 >e/y",
		want: named.Outcome{Result: named.Merged, Added: 2}, holds: with(layertest.Tree{"x": "1\n", "y": "2\n", "e/x": "1\n", "e/y": "2\n"})},
	{mode: appendOnly, name: "same", one: "echo 1 >x", other: "echo 1 >x",
		want: named.Outcome{Result: named.Unchanged, Duplicates: 1}, holds: with(layertest.Tree{"x": "1\n"})},
	{mode: appendOnly, name: "conflict", one: "echo 1 >x", other: "echo 2 >x; echo 2 >y",
		want: named.Outcome{Result: named.Merged, Added: 1, Conflicts: []string{"x"}}, holds: with(layertest.Tree{"x": "1\n", "y": "2\n"})},
	{mode: appendOnly, name: "conflict of kinds", one: "echo 1 >x", other: "mkdir x; echo 2 >x/y; echo 3 >x/z",
		want: named.Outcome{Result: named.Unchanged, Conflicts: []string{"x"}}, holds: with(layertest.Tree{"x": "1\n"})},
	{mode: appendOnly, name: "units apart", one: "mkdir -p pkg/a; echo 1 >pkg/a/x", other: "mkdir -p pkg/b; echo 2 >pkg/b/x", options: units,
		want: named.Outcome{Result: named.Merged, Added: 1}, holds: with(layertest.Tree{"pkg/a/x": "1\n", "pkg/b/x": "2\n"})},
	{mode: appendOnly, name: "one unit", one: "mkdir -p pkg/a; echo 1 >pkg/a/x", other: "mkdir -p pkg/a; echo 1 >pkg/a/x; echo 2 >pkg/a/y", options: units,
		want:  named.Outcome{Result: named.Unchanged, Duplicates: 1, Conflicts: []string{"pkg/a"}},
		holds: with(layertest.Tree{"pkg/a/x": "1\n"})},
	{mode: appendOnly, name: "broken unit", one: "echo 1 >x", other: "mkdir -p pkg/a pkg/b; echo 1 >pkg/a/x; mkfifo pkg/a/p; echo 2 >pkg/b/x", options: units,
		want:  named.Outcome{Result: named.Merged, Added: 1, Violations: violations("pkg/a/p", "special", "pkg/a", "unit")},
		holds: with(layertest.Tree{"x": "1\n", "pkg/b/x": "2\n"})},

	{mode: mutable, name: "disjoint", one: "echo 1 >a; echo 1 >x; mkdir e; echo 1 >e/x", other: "echo 2 >b; mkdir e; echo 2 >e/y; rm l",
		want:  named.Outcome{Result: named.Merged, Added: 1, Changed: 1, Removed: 1},
		holds: with(layertest.Tree{"a": "1\n", "b": "2\n", "x": "1\n", "e/x": "1\n", "e/y": "2\n"}, "l")},
	{mode: mutable, name: "equal bytes", one: "echo 1 >a; echo 1 >x", other: "echo 1 >a; echo 1 >x; echo 2 >y",
		want: named.Outcome{Result: named.Merged, Added: 2, Changed: 1}, holds: with(layertest.Tree{"a": "1\n", "x": "1\n", "y": "2\n"})},
	{mode: mutable, name: "both removed", one: "rm a", other: "rm a; echo 2 >y",
		want: named.Outcome{Result: named.Merged, Added: 1, Removed: 1}, holds: with(layertest.Tree{"y": "2\n"}, "a")},
	{mode: mutable, name: "overlap", one: "echo 1 >a; echo 1 >x", other: "echo 2 >a; echo 2 >y",
		want: named.Outcome{Result: named.Replaced, Added: 1, Changed: 1, Conflicts: []string{"a"}}, holds: with(layertest.Tree{"a": "2\n", "y": "2\n"})},
	{mode: mutable, name: "removed what the first changed", one: "echo 1 >d/c", other: "rm -r d",
		want: named.Outcome{Result: named.Replaced, Removed: 1, Conflicts: []string{"d"}}, holds: with(nil, "d/c")},
	{mode: mutable, name: "added where the first removed", one: "rm -r d", other: "echo 2 >d/n",
		want: named.Outcome{Result: named.Replaced, Added: 1, Conflicts: []string{"d", "d/n"}[:1]}, holds: with(layertest.Tree{"d/n": "2\n"})},
	{mode: mutable, name: "copied up only", one: "echo 1 >a", other: "chmod 600 a; chmod 644 a; echo 2 >y",
		want: named.Outcome{Result: named.Merged, Added: 1}, holds: with(layertest.Tree{"a": "1\n", "y": "2\n"})},
	{mode: mutable, name: "replace", one: "echo 1 >x", other: "echo 2 >y", options: replace,
		want: named.Outcome{Result: named.Replaced, Added: 1}, holds: with(layertest.Tree{"y": "2\n"})},
	{mode: mutable, name: "discard", one: "echo 1 >x", other: "echo 2 >y", options: discard,
		want: named.Outcome{Result: named.Discarded, Added: 1}, holds: with(layertest.Tree{"x": "1\n"})},
}
