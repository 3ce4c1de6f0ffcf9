package namedtest

import (
	"testing"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
)

// Suite runs every case for one way of making private layers.
func Suite(t *testing.T, backing Backing) {
	if backing == Overlaid {
		layertest.NeedOverlay(t)
	}
	for _, test := range alone {
		t.Run(test.mode.String()+"/"+test.name, func(t *testing.T) {
			c := New(t, test.mode, backing)
			c.Do(first)
			got := c.Do(test.script)
			c.Is(got, test.want)
			c.Holds(test.holds)
			c.Sound()
		})
	}
	for _, test := range racing {
		t.Run(test.mode.String()+"/racing, "+test.name, func(t *testing.T) {
			c := New(t, test.mode, backing)
			c.Do(first)
			one, other := c.Started(test.one), c.Started(test.other)
			c.Publish(one, named.PublishOptions{Unit: test.options.Unit})
			c.Is(c.Publish(other, test.options), test.want)
			c.Holds(test.holds)
		})
	}
}

// first is how every cache of the suite begins.
const first = "echo one >a; echo two >b; mkdir d; echo three >d/c; ln -s a l"

var begin = layertest.Tree{"a": "one\n", "b": "two\n", "d/c": "three\n", "l": "-> a"}

// with is begin with some paths added or changed, and some without content gone.
func with(changes layertest.Tree, gone ...string) layertest.Tree {
	tree := layertest.Tree{}
	for path, content := range begin {
		tree[path] = content
	}
	for path, content := range changes {
		tree[path] = content
	}
	for _, path := range gone {
		delete(tree, path)
	}
	return tree
}

func violations(pairs ...string) (list []named.Violation) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, named.Violation{Path: pairs[i], Kind: pairs[i+1]})
	}
	return list
}

const (
	appendOnly = caches.AppendOnly
	mutable    = caches.Mutable
)

var alone = []struct {
	mode   caches.Mode
	name   string
	script string
	want   named.Outcome
	holds  layertest.Tree
}{
	{appendOnly, "nothing", ":", named.Outcome{Result: named.Unchanged}, begin},
	{appendOnly, "addition", "echo n >n; mkdir -p x/y; echo z >x/y/z; echo e >d/e",
		named.Outcome{Result: named.Published, Added: 3}, with(layertest.Tree{"n": "n\n", "x/y/z": "z\n", "d/e": "e\n"})},
	{appendOnly, "duplicate", "echo one >a",
		named.Outcome{Result: named.Unchanged, Duplicates: 1}, begin},
	{appendOnly, "violations beside an addition", "echo more >>a; : >b; rm l; chmod 700 d; echo n >n",
		named.Outcome{Result: named.Published, Added: 1,
			Violations: violations("a", "modified", "b", "truncated", "d", "mode", "l", "deleted")}, with(layertest.Tree{"n": "n\n"})},
	{appendOnly, "mode of a file", "chmod 755 a", named.Outcome{Result: named.Unchanged, Violations: violations("a", "mode")}, begin},
	{appendOnly, "rename over", "echo n >n; mv n a", named.Outcome{Result: named.Unchanged, Violations: violations("a", "modified")}, begin},
	{appendOnly, "rename away", "mv a z", named.Outcome{Result: named.Published, Added: 1, Violations: violations("a", "deleted")},
		with(layertest.Tree{"z": "one\n"})},
	{appendOnly, "kinds", "rm a; mkdir a; echo x >a/x; rm -r d; echo d >d", named.Outcome{Result: named.Unchanged,
		Violations: violations("a", "replaced", "d", "replaced")}, begin},
	{appendOnly, "directory deleted", "rm -r d", named.Outcome{Result: named.Unchanged, Violations: violations("d", "deleted")}, begin},
	{appendOnly, "directory made again", "rm -r d; mkdir d; echo n >d/n", named.Outcome{Result: named.Published, Added: 1,
		Violations: violations("d/c", "deleted")}, with(layertest.Tree{"d/n": "n\n"})},
	{appendOnly, "special", "mkfifo p; mkdir q; mkfifo q/p; echo n >q/n", named.Outcome{Result: named.Published, Added: 1,
		Violations: violations("p", "special", "q/p", "special")}, with(layertest.Tree{"q/n": "n\n"})},
	{appendOnly, "unreadable", "echo n >n; chmod 0 n; mkdir x; echo y >x/y; chmod 0 x",
		named.Outcome{Result: named.Published, Added: 2}, with(layertest.Tree{"n": "n\n", "x/y": "y\n"})},
	{appendOnly, "odd names", oddNames, named.Outcome{Result: named.Published, Added: 6}, with(oddTree)},

	{mutable, "nothing", ":", named.Outcome{Result: named.Unchanged}, begin},
	{mutable, "read", "cat a d/c", named.Outcome{Result: named.Unchanged}, begin},
	{mutable, "all kinds of change", "echo n >n; echo more >>a; rm b; chmod 755 d/c; rm l; echo l >l",
		named.Outcome{Result: named.Published, Added: 1, Changed: 3, Removed: 1},
		with(layertest.Tree{"n": "n\n", "a": "one\nmore\n", "l": "l\n"}, "b")},
	{mutable, "written again", "echo one >a", named.Outcome{Result: named.Published, Changed: 1}, begin},
	{mutable, "written again, the time set back", "touch -r a t; echo one >a; touch -r t a; rm t", named.Outcome{Result: named.Unchanged}, begin},
	{mutable, "other bytes, the time set back", "touch -r a t; echo eno >a; touch -r t a; rm t", named.Outcome{Result: named.Published, Changed: 1},
		with(layertest.Tree{"a": "eno\n"})},
	{mutable, "empty directory", "mkdir e", named.Outcome{Result: named.Published}, with(layertest.Tree{"e/": ""})},
	{mutable, "directory deleted", "rm -r d", named.Outcome{Result: named.Published, Removed: 1}, with(nil, "d/c")},
	{mutable, "directory made again", "rm -r d; mkdir d; echo n >d/n", named.Outcome{Result: named.Published, Added: 1, Removed: 1},
		with(layertest.Tree{"d/n": "n\n"}, "d/c")},
	{mutable, "everything deleted", "rm -r a b d l", named.Outcome{Result: named.Published, Removed: 4}, layertest.Tree{}},
	{mutable, "kinds", "rm a; mkdir a; echo x >a/x; rm -r d; echo d >d", named.Outcome{Result: named.Published, Added: 1, Changed: 1},
		with(layertest.Tree{"a/x": "x\n", "d": "d\n"}, "a", "d/c")},
	{mutable, "special", "mkfifo p; echo n >n", named.Outcome{Result: named.Published, Added: 1, Violations: violations("p", "special")},
		with(layertest.Tree{"n": "n\n"})},
	{mutable, "read-only directories", "mkdir x; echo y >x/y; chmod 555 x; chmod 444 x/y; chmod 555 d",
		named.Outcome{Result: named.Published, Added: 1}, with(layertest.Tree{"x/y": "y\n"})},
	{mutable, "odd names", oddNames, named.Outcome{Result: named.Published, Added: 6}, with(oddTree)},
}

// long is a name of the greatest length.
const long = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" +
	"89012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345" +
	"678901234"

const oddNames = `echo 1 >'.wh.a'; echo 2 >'-n'; echo 3 >' s p '; echo 4 >"$(printf 'new\nline')"; echo 5 >"$(printf '\377')"; echo 6 >` + long

var oddTree = layertest.Tree{".wh.a": "1\n", "-n": "2\n", " s p ": "3\n", "new\nline": "4\n", "\xff": "5\n", long: "6\n"}
