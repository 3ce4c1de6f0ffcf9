package cas

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

func list(t testing.TB, store *Store) (paths []string) {
	t.Helper()
	rows, err := store.Trees()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		paths = append(paths, row.Path)
	}
	return paths
}

// drop removes all trees that no process uses, as a pruning does.
func drop(t testing.TB, store *Store) {
	t.Helper()
	unused, err := store.layout.NextEpoch()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list(t, store) {
		err := store.layout.Reap(func() error {
			if used, err := caches.LastUsed(path); err != nil || !used.Before(unused) {
				return err
			}
			return layers.Discard(store.layout, path)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}

// used says when the folder of a tree was last used, in hours from now.
func used(t testing.TB, folder string, hours int) {
	t.Helper()
	if err := os.Chtimes(folder, time.Now().Add(time.Duration(hours)*time.Hour), time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// threeTrees are a base, a delta on it and another tree, used in this order by
// processes that have ended.
func threeTrees(t *testing.T) (w workshop, base, upper, other string) {
	w = newWorkshop(t)
	rest := []digest.Entry{w.file("a", "other")}
	w.must("series", w.padding())
	w.must("series", w.edited("edited"))
	w.must("", rest)
	base, upper = w.store.treePath(w.root(w.padding()), whole), w.store.treePath(w.root(w.edited("edited")), delta)
	other = w.store.treePath(w.root(rest), whole)
	for i, folder := range []string{base, upper, other} {
		used(t, folder, i-5)
	}
	w.store.layout.Leave()
	return w, base, upper, other
}

func TestTreesAreListedInTheOrderOfTheirUse(t *testing.T) {
	w, base, upper, other := threeTrees(t)
	if got, want := list(t, w.store), []string{upper, base, other}; !slices.Equal(got, want) {
		t.Fatalf("listed %q, want %q", got, want)
	}
	rows, err := w.store.Trees()
	if err != nil || rows[0].Base != w.root(w.padding()) || rows[1].Root != rows[0].Base || !rows[1].Base.IsZero() || rows[0].Root != w.root(w.edited("edited")) {
		t.Errorf("listed as %+v, %v", rows, err)
	}
	used(t, upper, -1) // and with it the base
	if got, want := list(t, w.store), []string{other, upper, base}; !slices.Equal(got, want) {
		t.Errorf("after the delta was used: %q, want %q", got, want)
	}
	used(t, upper, -10)
	used(t, base, -1)
	if got, want := list(t, w.store), []string{upper, other, base}; !slices.Equal(got, want) {
		t.Errorf("after the base was used: %q, want %q", got, want)
	}
}

func TestTreesOfNoUseAreTheOldest(t *testing.T) {
	w, base, upper, other := threeTrees(t)
	for _, spoil := range []string{"no base", "no root", "another version"} {
		switch spoil {
		case "no base":
			put(t, filepath.Join(upper, recordFile), `{"format":1,"root":"`+of("x").String()+`","base":"`+of("y").String()+`"}`)
		case "no root":
			put(t, filepath.Join(upper, recordFile), `{"format":1,"root":"nonsense"}`)
		case "another version":
			put(t, filepath.Join(upper, recordFile), `{"format":2}`)
		}
		used(t, upper, -1)
		rows, err := w.store.Trees()
		if got, want := list(t, w.store), []string{upper, base, other}; err != nil || !slices.Equal(got, want) || !rows[0].LastUse.IsZero() {
			t.Errorf("%s: %q, %v, want %q, of which the first was never used", spoil, got, err, want)
		}
	}
}

func TestTreesWithoutAnyAreNone(t *testing.T) {
	if rows, err := open(t).Trees(); rows != nil || err != nil {
		t.Errorf("listed %+v, %v", rows, err)
	}
}

func TestTreesOfARunStay(t *testing.T) {
	w, base, upper, _ := threeTrees(t)
	layout, err := caches.OpenLayout(w.store.layout.Root()) // another process
	if err != nil {
		t.Fatal(err)
	}
	run := workshop{t, Open(layout, digest.BLAKE3), w.sources}
	stack := run.must("", w.edited("edited"))
	drop(t, w.store)
	if got, want := list(t, w.store), []string{upper, base}; !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	compare(failing{t}, stack, newTwin(w).must("", w.edited("edited")))
	layout.Leave()
	if drop(t, w.store); len(list(t, w.store)) != 0 {
		t.Errorf("after the run: left %q", list(t, w.store))
	}
	if again := w.must("series", w.edited("edited")); len(again) != 1 {
		t.Errorf("laid out again in %d layers", len(again))
	}
}

// TestTreesAreThereWhileTheyAreDropped: runs lay trees out and look at them
// while others drop all that they can.
func TestTreesAreThereWhileTheyAreDropped(t *testing.T) {
	w := newWorkshop(t)
	w.store.layout.Leave()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			w.runOnce(i)
		}
	}()
	for {
		drop(t, w.store)
		select {
		case <-done:
			wantNothingLeft(t, w.store)
			return
		default:
		}
	}
}

// runOnce is a process of its own to the store.
func (w workshop) runOnce(i int) {
	layout, err := caches.OpenLayout(w.store.layout.Root())
	if err != nil {
		w.t.Error(err)
		return
	}
	defer layout.Leave()
	run := workshop{w.t, Open(layout, digest.BLAKE3), w.sources}
	for _, entries := range [][]digest.Entry{w.padding(), w.edited(fmt.Sprint("edit ", i%4))} {
		stack, err := run.lay("series", entries)
		if err != nil {
			w.t.Error(err)
			return
		}
		if found, err := view(stack); err != nil || len(found) < 111 {
			w.t.Errorf("a view of %d entries, %v", len(found), err)
		}
	}
}

func TestReadTreeTakesOnlyWhatItWrote(t *testing.T) {
	s, dir := open(t), t.TempDir()
	if err := (treeRecord{Root: "y/2", Base: "x/1", Entries: 2, Bytes: 3}).write(dir); err != nil {
		t.Fatal(err)
	}
	if record, err := s.readTree(dir); err != nil || record != (treeRecord{Format: treeFormat, Root: "y/2", Base: "x/1", Entries: 2, Bytes: 3}) {
		t.Errorf("read %+v, %v", record, err)
	}
	for _, text := range []string{"", "{", `{"format":2}`, "null"} {
		put(t, filepath.Join(dir, recordFile), text)
		if record, err := s.readTree(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: read %+v, %v; want it to count as missing", text, record, err)
		}
	}
}
