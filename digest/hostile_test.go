package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	remote "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
)

// hostile is a tree as somebody made it who wants larder to hang, crash or
// leave its root: a source and a root.
type hostile struct {
	src  Source
	root Digest
}

// lying answers every question with the same bytes.
type lying []byte

func (l lying) Blob(context.Context, Digest) ([]byte, error) { return l, nil }

// raw makes a tree that has the message as its directory "sub".
func raw(t testing.TB, message *remote.Directory) hostile {
	t.Helper()
	data := marshal(t, message)
	all := Directories{Of(BLAKE3, data): data}
	return hostile{all, all.put(t, Directory{Directories: []Sub{{"sub", Of(BLAKE3, data)}}})}
}

func hostileTrees(t testing.TB) map[string]hostile {
	t.Helper()
	d := Of(BLAKE3, []byte("x"))
	content := &remote.Digest{Hash: d.Hash(), SizeBytes: d.Size()}
	files := func(names ...string) *remote.Directory {
		message := &remote.Directory{}
		for _, name := range names {
			message.Files = append(message.Files, &remote.FileNode{Name: name, Digest: content})
		}
		return message
	}
	trees := map[string]hostile{
		"dot dot":    raw(t, files("..")),
		"dot":        raw(t, files(".")),
		"slash":      raw(t, files("/etc/passwd")),
		"empty name": raw(t, files("")),
		"duplicate":  raw(t, files("a", "a")),
		"unsorted":   raw(t, files("b", "a")),
		"two kinds":  raw(t, &remote.Directory{Files: files("a").Files, Symlinks: []*remote.SymlinkNode{{Name: "a", Target: "b"}}}),
		"1 GiB":      raw(t, &remote.Directory{Directories: []*remote.DirectoryNode{{Name: "sub", Digest: &remote.Digest{Hash: d.Hash(), SizeBytes: 1 << 30}}}}),
	}
	self, err := New(BLAKE3, d.Hash(), 75)
	if err != nil {
		t.Fatal(err)
	}
	cycle, err := Directory{Directories: []Sub{{"sub", self}}}.Encode()
	if err != nil || len(cycle) != 77 {
		t.Fatalf("%d bytes, %v", len(cycle), err)
	}
	trees["cycle"] = hostile{lying(cycle), self}
	deep := Directories{}
	here := deep.put(t, Directory{Files: []File{{"f", d, false}}})
	for range 10_000 {
		here = deep.put(t, Directory{Directories: []Sub{{"sub", here}}})
	}
	trees["deep"] = hostile{deep, here}
	return trees
}

// other makes a tree that differs from every hostile one all the way down, so
// that there is no way around it.
func (h hostile) against(t testing.TB) (Source, Digest) {
	all := Directories{}
	here := all.put(t, Directory{})
	for range maxDepth + 9 {
		here = all.put(t, Directory{Directories: []Sub{{"sub", here}}, Files: []File{{"zz", Of(BLAKE3, nil), false}}})
	}
	return first{all, h.src}, here
}

// first is two sources, the second for what the first does not have.
type first [2]Source

func (s first) Blob(ctx context.Context, d Digest) ([]byte, error) {
	data, err := s[0].Blob(ctx, d)
	if errors.Is(err, fs.ErrNotExist) {
		return s[1].Blob(ctx, d)
	}
	return data, err
}

// operations are all that reads trees, each on a tree and one that differs.
func operations(src Source, sink Sink, root, other Digest) map[string]func() error {
	ctx := context.Background()
	merge := func(policies ...PathPolicy) func() error {
		return func() error {
			_, err := Merge(ctx, src, sink, []Producer{{"one", root}, {"two", other}, {"one", root}}, policies)
			return err
		}
	}
	return map[string]func() error{
		"merge":          merge(),
		"merge tolerant": merge(PathPolicy{".", PolicyTolerate}),
		"diff":           func() error { return Diff(ctx, src, root, other, func(Change) error { return nil }) },
		"subset":         func() error { _, err := Subset(ctx, src, sink, root, []string{"nothing*"}); return err },
		"strip prefix":   func() error { _, err := StripPrefix(ctx, src, root, strings.Repeat("sub/", 2000)+"f"); return err },
		"fingerprints":   func() error { return Fingerprints(ctx, src, root, func(Entry) error { return nil }) },
	}
}

func TestHostileTreesAreRefused(t *testing.T) {
	for what, tree := range hostileTrees(t) {
		src, other := tree.against(t)
		for name, operate := range operations(src, Directories{}.Sink(BLAKE3), tree.root, other) {
			err := operate()
			if name == "strip prefix" && what == "deep" {
				continue // it only goes where it is told, and that is there
			}
			if !errors.Is(err, ErrTree) {
				t.Errorf("%s, %s: %v, want ErrTree", what, name, err)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("%s, %s: a message of %d bytes", what, name, len(err.Error()))
			}
		}
	}
}

// doubling makes a tree of 2 to the power of levels files from a message for
// each level, with files of this name.
func doubling(t testing.TB, levels int, name string) *Tree {
	t.Helper()
	tree := &Tree{made: Directories{}}
	tree.Root = tree.made.put(t, Directory{Files: []File{{name, Of(BLAKE3, []byte(name)), false}}})
	for range levels {
		tree.Root = tree.made.put(t, Directory{Directories: []Sub{{"a", tree.Root}, {"b", tree.Root}}})
	}
	return tree
}

func TestMergeOfTreesThatDoubleAtEachLevel(t *testing.T) {
	merged, s, err := mergeAll([]*Tree{doubling(t, 900, "f"), doubling(t, 900, "g")})
	if err != nil || len(s.reads) != 2*901 {
		t.Fatalf("%v, %d reads", err, len(s.reads))
	}
	at, err := Lookup(context.Background(), s, merged.Root, strings.Repeat("a/", 900)+"g")
	if err != nil || at.Kind != KindFile {
		t.Errorf("%v, %v", at, err)
	}
	if merged.Duplicates != 0 || merged.Identical != 0 {
		t.Errorf("counted %+v", merged)
	}
	twice, _, err := mergeAll([]*Tree{doubling(t, 10, "f"), doubling(t, 10, "f"), doubling(t, 10, "g")})
	if err != nil || twice.Identical != 1 {
		t.Errorf("%+v, %v", twice, err)
	}
}

func TestWhatDoublesIsCountedEachTime(t *testing.T) {
	one, two := doubling(t, 6, "f"), doubling(t, 6, "f")
	leaf := two.made.put(t, Directory{Files: []File{{"f", Of(BLAKE3, []byte("f")), false}, {"g", Of(BLAKE3, nil), false}}})
	for range 6 {
		leaf = two.made.put(t, Directory{Directories: []Sub{{"a", leaf}, {"b", leaf}}})
	}
	two.Root = leaf
	merged, _, err := mergeAll([]*Tree{one, two})
	if err != nil || merged.Duplicates != 64 {
		t.Errorf("%+v, %v; want 64 duplicates", merged, err)
	}
	most := Merged{Duplicates: 1 << 30}
	for range 1000 {
		most.add(joined{duplicates: most.Duplicates})
	}
	if most.Duplicates <= 0 {
		t.Errorf("counted %d", most.Duplicates)
	}
}

func TestCollisionsWithoutEndAreGivenUp(t *testing.T) {
	trees := []*Tree{treeOf(t, "a/f", "b"), treeOf(t, "a", "b/f"), treeOf(t, "a -> b", "b -> a")}
	for _, policies := range [][]PathPolicy{nil, {{".", PolicyTolerate}}, {{".", PolicyLast}}} {
		s := newShelf(trees...)
		m, err := newMerger(newReader(context.Background(), s), s.Sink(BLAKE3), named(trees), policies)
		if err != nil {
			t.Fatal(err)
		}
		m.told = maxTold - 3
		err = m.run()
		var refused *CollisionError
		switch {
		case policies == nil && (!errors.As(err, &refused) || !refused.Incomplete || len(refused.Collisions) != 2 || !strings.Contains(err.Error(), "given up")):
			t.Errorf("%v; want two collisions and that there are more", err)
		case policies != nil && policies[0].Policy == PolicyTolerate && !errors.Is(err, errTooMany):
			t.Errorf("%v; want that it was given up", err)
		case policies != nil && policies[0].Policy == PolicyLast && err != nil:
			t.Errorf("%v, where nothing has to be listed", err)
		}
	}
}

func TestOperationsEndWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tree, other := treeOf(t, "a/b"), treeOf(t, "a/c")
	s := newShelf(tree, other)
	_, merged := Merge(ctx, s, s.Sink(BLAKE3), named([]*Tree{tree, other}), nil)
	_, part := Subset(ctx, s, s.Sink(BLAKE3), tree.Root, []string{"*"})
	_, added := AddPrefix(ctx, s, s.Sink(BLAKE3), tree.Root, "a")
	_, stripped := StripPrefix(ctx, s, tree.Root, "a")
	for i, err := range []error{merged, part, added, stripped} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// known are the errors that bad trees and patterns may lead to.
func known(err error) bool {
	return slices.ContainsFunc([]error{nil, ErrTree, ErrPath, ErrCollision, ErrPattern, fs.ErrNotExist}, func(one error) bool { return errors.Is(err, one) })
}

// fuzzed makes two trees of outside bytes: each is a message, and they are
// directories of one another's trees as well.
func fuzzed(t testing.TB, a, b []byte) (shelf, *Tree, *Tree) {
	all := Directories{Of(BLAKE3, a): a, Of(BLAKE3, b): b}
	one := &Tree{made: all, Root: all.put(t, Directory{Directories: []Sub{{"a", Of(BLAKE3, a)}, {"b", Of(BLAKE3, b)}}})}
	two := &Tree{made: all, Root: all.put(t, Directory{Directories: []Sub{{"a", Of(BLAKE3, b)}, {"c", Of(BLAKE3, a)}}})}
	return newShelf(one, two), one, two
}

// seeds are pairs of messages to start from.
func seeds(f *testing.F, add func(a, b []byte)) {
	f.Helper()
	for _, tree := range hostileTrees(f) {
		if all, ok := tree.src.(Directories); ok && len(all) < 10 {
			for _, data := range all {
				add(data, nil)
				add(nil, data)
			}
		}
	}
	good := treeOf(f, "a/b", "l -> a", "e/")
	for _, one := range good.made {
		for _, two := range treeOf(f, "a", "l -> b", "e", "g").made {
			add(one, two)
			add(one, one)
		}
	}
}

// FuzzMerge: whatever the messages, there is an error or a tree that holds both
// others.
func FuzzMerge(f *testing.F) {
	seeds(f, func(a, b []byte) { f.Add(a, b, ""); f.Add(a, b, "*") })
	f.Fuzz(func(t *testing.T, a, b []byte, glob string) {
		s, one, two := fuzzed(t, a, b)
		var policies []PathPolicy
		if glob != "" {
			policies = []PathPolicy{{glob, PolicyTolerate}}
		}
		producers := []Producer{{"one", one.Root}, {"two", two.Root}}
		merged, err := Merge(context.Background(), s, s.Sink(BLAKE3), producers, policies)
		if err != nil {
			if !known(err) || merged.Root != (Digest{}) {
				t.Fatalf("%v, %v", merged, err)
			}
			return
		}
		again, err := Merge(context.Background(), s, s.Sink(BLAKE3), slices.Concat([]Producer{{"all", merged.Root}}, producers), policies)
		if err != nil || again.Root != merged.Root {
			t.Fatalf("merged with its parts it is %v, %v; was %v", again, err, merged)
		}
	})
}

// FuzzSubset: whatever the messages and patterns, there is an error or a tree
// that has nothing which the whole does not have.
func FuzzSubset(f *testing.F) {
	seeds(f, func(a, b []byte) { f.Add(a, b, "*\n!a") })
	f.Add([]byte{}, []byte{}, "a/**/b")
	f.Fuzz(func(t *testing.T, a, b []byte, patterns string) {
		s, one, _ := fuzzed(t, a, b)
		part, err := Subset(context.Background(), s, s.Sink(BLAKE3), one.Root, strings.Split(patterns, "\n"))
		if err != nil {
			if !known(err) {
				t.Fatal(err)
			}
			return
		}
		err = Diff(context.Background(), s, one.Root, part, func(c Change) error {
			if c.Before.Kind == 0 || c.After.Kind != 0 && c.After.Kind != KindDirectory {
				return fmt.Errorf("%+v is no part of the whole", c)
			}
			return nil
		})
		if !known(err) {
			t.Fatal(err)
		}
	})
}

// FuzzDiff: whatever the messages, there is an error, or the differences one way
// are those the other way.
func FuzzDiff(f *testing.F) {
	seeds(f, func(a, b []byte) { f.Add(a, b) })
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, one, two := fuzzed(t, a, b)
		var there, back []Change
		err := Diff(context.Background(), s, one.Root, two.Root, func(c Change) error {
			there = append(there, Change{c.Path, c.After, c.Before})
			return nil
		})
		failed := Diff(context.Background(), s, two.Root, one.Root, func(c Change) error {
			back = append(back, c)
			return nil
		})
		if !known(err) || (err == nil) != (failed == nil) || err == nil && !slices.Equal(there, back) {
			t.Fatalf("%v: %v\n%v: %v", err, there, failed, back)
		}
	})
}
