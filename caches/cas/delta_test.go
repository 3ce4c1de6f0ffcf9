package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/digest"
)

// workshop lays out trees whose files come from one folder of sources.
type workshop struct {
	t       testing.TB
	store   *Store
	sources string
}

func newWorkshop(t testing.TB) workshop { return workshop{t, open(t), t.TempDir()} }

// lay lays out the tree of entries, whose files have the text of their digests.
func (w workshop) lay(near string, entries []digest.Entry) (layers.Stack, error) {
	tree, err := digest.FromEntries(digest.BLAKE3, entries)
	if err != nil {
		return nil, err
	}
	return w.store.Tree(context.Background(), tree, TreeOptions{Near: near, Origin: func(d digest.Digest) (string, bool) {
		return filepath.Join(w.sources, d.Hash()), true
	}})
}

// must is lay for what has to succeed.
func (w workshop) must(near string, entries []digest.Entry) layers.Stack {
	w.t.Helper()
	stack, err := w.lay(near, entries)
	if err != nil {
		w.t.Fatal(err)
	}
	return stack
}

// root is the digest of the tree of entries.
func (w workshop) root(entries []digest.Entry) digest.Digest {
	w.t.Helper()
	tree, err := digest.FromEntries(digest.BLAKE3, entries)
	if err != nil {
		w.t.Fatal(err)
	}
	return tree.Root
}

// file is an entry with a text, which becomes a source.
func (w workshop) file(path, text string) digest.Entry {
	source := filepath.Join(w.sources, of(text).Hash())
	if _, err := os.Lstat(source); err != nil {
		put(w.t, source, text)
	}
	return digest.Entry{Path: path, Kind: digest.KindFile, Digest: of(text)}
}

// padding is enough files for a few changes to be a small part of them.
func (w workshop) padding() []digest.Entry {
	var entries []digest.Entry
	for i := range 100 {
		entries = append(entries, w.file(fmt.Sprintf("pad/%d/%d", i/10, i), "padding"))
	}
	return entries
}

// edited is the padding with one file less, one more and one changed.
func (w workshop) edited(text string) []digest.Entry {
	entries := append(w.padding()[1:], w.file("src/new/file", text))
	entries[34] = w.file("pad/3/35", text)
	return entries
}

// anything draws a part of a tree: few names, so that two of them meet.
func (w workshop) anything(r *rapid.T, label string) []digest.Entry {
	paths := rapid.SliceOfN(rapid.StringMatching(`[ab](/[abc]){0,3}`), 0, 6).Draw(r, label)
	var entries []digest.Entry
	taken := func(path string) bool {
		return slices.ContainsFunc(entries, func(e digest.Entry) bool {
			return e.Path == path || strings.HasPrefix(path, e.Path+"/") || strings.HasPrefix(e.Path, path+"/")
		})
	}
	for _, path := range paths {
		if taken(path) {
			continue
		}
		e := w.file(path, rapid.SampledFrom([]string{"", "one", "two"}).Draw(r, "text"))
		switch rapid.IntRange(0, 4).Draw(r, "kind") {
		case 0:
			e = digest.Entry{Path: path, Kind: digest.KindDirectory}
		case 1:
			e = digest.Entry{Path: path, Kind: digest.KindSymlink, Target: rapid.SampledFrom([]string{"a", "../b"}).Draw(r, "target")}
		case 2:
			e.Executable = true
		}
		entries = append(entries, e)
	}
	return entries
}

// view lists a stack: path to kind, mode, time and content.
func view(stack layers.Stack) (map[string]string, error) {
	found := map[string]string{}
	err := stack.Walk(func(e layers.Entry) error {
		text, err := "", error(nil)
		switch e.Kind {
		case layers.File:
			var data []byte
			data, err = os.ReadFile(e.Real)
			text = string(data)
		case layers.Symlink:
			text, err = os.Readlink(e.Real)
		}
		found[e.Path] = fmt.Sprintf("kind %d, mode %v, time %d, %q", e.Kind, e.Mode, e.ModTime.UnixNano(), text)
		return err
	})
	return found, err
}

// look prints kind, mode, time, target and content of all that is in the
// working directory.
const look = `find . -mindepth 1 -printf '%P %y %m %T@ %l\n' | sort; find . -type f | sort | xargs -r cksum`

// mounted is what a process sees of the stack.
func mounted(t testing.TB, stack layers.Stack, script string) string {
	t.Helper()
	dir := t.TempDir()
	mount := layertest.Mount{Lowers: stack.Lowers(), Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, path := range []string{mount.Upper, mount.Work} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	defer layertest.RemoveAll(t, dir)
	return layertest.Shell(t, mount, script)
}

// TestDeltaShowsWhatTheWholeTreeShows: any two trees that are near each other,
// by the rules of overlayfs as this program knows them, as the kernel knows
// them, and copied.
func TestDeltaShowsWhatTheWholeTreeShows(t *testing.T) {
	overlay, cases, deltas, apart := layertest.Overlay(t) == nil, 0, 0, newWorkshop(t)
	rapid.Check(t, func(r *rapid.T) {
		w := workshop{t, open(t), apart.sources}
		before := append(w.padding()[:50], w.anything(r, "before")...)
		after := append(w.padding()[:50], w.anything(r, "after")...)
		w.must("series", before)
		near, want := w.must("series", after), apart.must("", after)
		if len(near) == 2 {
			deltas++
		}
		compare(r, near, want)
		if cases++; cases%4 != 0 { // what follows takes longer than all the rest
			return
		}
		copied := t.TempDir()
		if err := layers.CopyStack(near, copied); err != nil {
			r.Fatal(err)
		}
		compare(r, layers.Stack{{ID: "copy", Path: copied}}, want)
		if !overlay {
			return
		}
		if got, want := mounted(t, near, look), mounted(t, want, look); got != want {
			r.Fatalf("mounted, the delta shows\n%s\nand the whole tree\n%s", got, want)
		}
	})
	if 2*deltas < cases {
		t.Errorf("only %d of %d trees were deltas", deltas, cases)
	}
}

// newTwin has the same sources and a store of its own.
func newTwin(w workshop) workshop { return workshop{w.t, open(w.t), w.sources} }

func compare(r interface{ Fatalf(string, ...any) }, got, want layers.Stack) {
	left, err := view(got)
	if err != nil {
		r.Fatalf("%v", err)
	}
	right, err := view(want)
	if err != nil {
		r.Fatalf("%v", err)
	}
	if !maps.Equal(left, right) {
		r.Fatalf("the view is\n%v\nand not\n%v", left, right)
	}
}

func TestDeltaHoldsOnlyWhatDiffers(t *testing.T) {
	w := newWorkshop(t)
	base := w.must("series", w.padding())
	stack := w.must("series", w.edited("edited"))
	if len(stack) != 2 || stack[0] != base[0] || stack[1].Entries != 8 {
		t.Fatalf("laid out as %+v, want a layer of 8 entries on %s", stack, base[0].Path)
	}
	if again := w.must("series", w.edited("edited")); !slices.Equal(again, stack) {
		t.Errorf("laid out again as %+v", again)
	}
	// The next one lies on the whole tree too, and one that is there is taken as it is.
	if next := w.must("series", w.edited("once more")); len(next) != 2 || next[0] != base[0] {
		t.Errorf("after another edit: %+v", next)
	}
	if other := w.must("another series", w.edited("edited")); !slices.Equal(other, stack) {
		t.Errorf("another series has %+v, not the delta that is there", other)
	}
	wantNothingLeft(t, w.store)
}

func TestLargeDeltasAreWholeTrees(t *testing.T) {
	w := newWorkshop(t)
	w.must("series", w.padding())
	var many []digest.Entry
	for i := range 21 { // with their folder, 22 of the 111 entries of the base
		many = append(many, w.file(fmt.Sprintf("more/%d", i), "more"))
	}
	first := w.must("series", append(w.padding(), many...))
	if len(first) != 2 {
		t.Fatalf("one fifth of new files: %d layers, want a delta", len(first))
	}
	many = append(many, w.file("more/one", "too many"))
	second := w.must("series", append(w.padding(), many...))
	if len(second) != 1 {
		t.Fatalf("more than a fifth: %d layers, want a whole tree", len(second))
	}
	many = append(many, w.file("more/two", "more"))
	if third := w.must("series", append(w.padding(), many...)); len(third) != 2 || third[0] != second[0] {
		t.Errorf("the next one has %+v, want a delta on the new whole tree", third)
	}
	// Back on the first whole tree, edits lie on that one again.
	w.must("series", w.padding())
	if back := w.must("series", w.edited("back")); len(back) != 2 {
		t.Errorf("after a change back: %+v", back)
	}
}

func TestDeltaNeedsItsAdvice(t *testing.T) {
	w := newWorkshop(t)
	base := w.root(w.padding())
	for what, spoil := range map[string]func() error{
		"lost":      func() error { return os.Remove(w.store.seriesFile("series")) },
		"nonsense":  func() error { return os.WriteFile(w.store.seriesFile("series"), []byte("nonsense"), 0o644) },
		"elsewhere": func() error { return os.WriteFile(w.store.seriesFile("series"), []byte(of("x").String()), 0o644) },
		"damaged": func() error {
			return os.WriteFile(w.store.path(base, plain), make([]byte, base.Size()), 0o644)
		},
		"missing": func() error { return os.Remove(w.store.path(base, plain)) },
	} {
		w.must("series", w.padding())
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		laid := w.must("series", w.edited(what))
		if len(laid) != 1 {
			t.Errorf("%s: %d layers, want a whole tree", what, len(laid))
		}
	}
}

// TestDeltasOfNoUseAreMadeWhole: somebody removed the base by hand, or a loss of
// power took the records.
func TestDeltasOfNoUseAreMadeWhole(t *testing.T) {
	for what, spoil := range map[string]func(w workshop, base, upper digest.Digest) error{
		"no base": func(w workshop, base, _ digest.Digest) error {
			return layers.RemoveTree(w.store.treePath(base, whole))
		},
		"base damaged": func(w workshop, base, _ digest.Digest) error {
			return os.WriteFile(filepath.Join(w.store.treePath(base, whole), recordFile), nil, 0o644)
		},
		"delta damaged": func(w workshop, _, upper digest.Digest) error {
			return os.WriteFile(filepath.Join(w.store.treePath(upper, delta), recordFile), []byte("{"), 0o644)
		},
		"not a digest": func(w workshop, _, upper digest.Digest) error {
			return treeRecord{Base: "nonsense"}.write(w.store.treePath(upper, delta))
		},
	} {
		w := newWorkshop(t)
		w.must("series", w.padding())
		w.must("series", w.edited("edited"))
		if err := spoil(w, w.root(w.padding()), w.root(w.edited("edited"))); err != nil {
			t.Fatal(err)
		}
		again := w.must("series", w.edited("edited"))
		if len(again) != 1 {
			t.Errorf("%s: %d layers, want a whole tree", what, len(again))
		}
		compare(failing{t}, again, newTwin(w).must("", w.edited("edited")))
		compare(failing{t}, w.must("series", w.padding()), newTwin(w).must("", w.padding()))
		wantNothingLeft(t, w.store)
	}
}

// failing lets compare end a test.
type failing struct{ t testing.TB }

func (f failing) Fatalf(format string, args ...any) { f.t.Helper(); f.t.Fatalf(format, args...) }

func TestDeltaByManyAtOnce(t *testing.T) {
	w := newWorkshop(t)
	w.must("series", w.padding())
	edited := w.edited("edited")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			laid, err := w.lay("series", edited)
			if err != nil || len(laid) != 2 {
				t.Errorf("%v, %v", laid, err)
			}
		})
	}
	group.Wait()
	compare(failing{t}, w.must("series", edited), newTwin(w).must("", edited))
	wantNothingLeft(t, w.store)
}

func TestDeltaWithoutABlob(t *testing.T) {
	w := newWorkshop(t)
	w.must("series", w.padding())
	edited := w.edited("lost")
	if err := os.Remove(filepath.Join(w.sources, of("lost").Hash())); err != nil {
		t.Fatal(err)
	}
	if laid, err := w.lay("series", edited); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("laid out as %v, %v; want an error that says what is missing", laid, err)
	}
	wantNothingLeft(t, w.store)
}

// TestProcessesCannotChangeBlobsBelowADelta: whatever they do in the view.
func TestProcessesCannotChangeBlobsBelowADelta(t *testing.T) {
	layertest.NeedOverlay(t)
	w := newWorkshop(t)
	w.must("series", w.padding())
	laid := w.must("series", w.edited("edited"))
	before, err := view(laid)
	if err != nil {
		t.Fatal(err)
	}
	mounted(t, laid, `
		echo evil >>pad/3/35; echo evil >pad/3/34; chmod 777 pad/3/36 src/new/file; touch pad/4/40; truncate -s 0 src/new/file
		rm -r pad/5; mkdir pad/0/0; mv pad/6/60 pad/6/moved; ln -s / pad/7/link; rm -r src`)
	after, err := view(laid)
	if err != nil || !maps.Equal(before, after) {
		t.Errorf("%v; the layers changed from\n%v\nto\n%v", err, before, after)
	}
	for _, text := range []string{"edited", "padding"} {
		if got, err := w.store.Blob(t.Context(), of(text)); err != nil || string(got) != text {
			t.Errorf("blob %q is %q, %v", text, got, err)
		}
	}
}
