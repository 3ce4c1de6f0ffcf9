package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"larder/caches"
	"larder/digest"
)

// roots lists the hashes of rows, with a sign for deltas.
func roots(rows []TreeRow) []string {
	var out []string
	for _, row := range rows {
		if row.Base != "" {
			out = append(out, "delta "+row.Hash)
			continue
		}
		out = append(out, row.Hash)
	}
	return out
}

func list(t testing.TB, store *Store) []TreeRow {
	t.Helper()
	rows, err := store.Trees()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func drop(t testing.TB, store *Store, limits TreeLimits) TreeRemoval {
	t.Helper()
	unused, err := store.layout.NextEpoch()
	if err != nil {
		t.Fatal(err)
	}
	removal, err := store.DropTrees(t.Context(), limits, unused)
	if err != nil {
		t.Fatal(err)
	}
	return removal
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

// named lists folders as roots does.
func named(folders ...string) []string {
	var out []string
	for _, folder := range folders {
		hash, isDelta := strings.CutSuffix(filepath.Base(folder), string(delta))
		if isDelta {
			hash = "delta " + hash
		}
		out = append(out, strings.TrimSuffix(hash, string(whole)))
	}
	return out
}

func TestTreesAreListedInTheOrderOfTheirUse(t *testing.T) {
	w, base, upper, other := threeTrees(t)
	rows := list(t, w.store)
	if got, want := roots(rows), named(upper, base, other); !slices.Equal(got, want) {
		t.Fatalf("listed %q, want %q", got, want)
	}
	if !slices.Equal(named(base), []string{rows[0].Base}) || rows[0].Entries != 8 || rows[0].Bytes != 12 || rows[1].Entries != 111 || rows[1].Bytes != 700 || rows[1].Function != "blake3" {
		t.Errorf("listed as %+v", rows)
	}
	used(t, upper, -1) // and with it the base
	if got, want := roots(list(t, w.store)), named(other, upper, base); !slices.Equal(got, want) {
		t.Errorf("after the delta was used: %q, want %q", got, want)
	}
	used(t, upper, -10)
	used(t, base, -1)
	if got, want := roots(list(t, w.store)), named(upper, other, base); !slices.Equal(got, want) {
		t.Errorf("after the base was used: %q, want %q", got, want)
	}
}

func TestTreesWithoutAnyAreNone(t *testing.T) {
	store := open(t)
	if rows := list(t, store); rows != nil {
		t.Errorf("listed %+v", rows)
	}
	if removal := drop(t, store, TreeLimits{Trees: 1}); len(removal.Removed)+len(removal.InUse) > 0 {
		t.Errorf("removed %+v", removal)
	}
}

func TestDropTreesKeepsWithinItsLimits(t *testing.T) {
	for what, c := range map[string]struct {
		limits TreeLimits
		left   int
	}{
		"no limit":            {TreeLimits{}, 3},
		"two trees":           {TreeLimits{Trees: 2}, 2},
		"one tree":            {TreeLimits{Trees: 1}, 1},
		"as many entries":     {TreeLimits{Entries: 120}, 3},
		"fewer entries":       {TreeLimits{Entries: 119}, 2},
		"very few entries":    {TreeLimits{Entries: 5}, 1},
		"used since long ago": {TreeLimits{UsedSince: time.Now().Add(-10 * time.Hour)}, 3},
		"all":                 {TreeLimits{UsedSince: time.Now().Add(time.Hour)}, 0},
	} {
		w, _, _, _ := threeTrees(t)
		before := list(t, w.store)
		removal := drop(t, w.store, c.limits)
		left := list(t, w.store)
		if len(left) != c.left || !slices.Equal(roots(append(removal.Removed, left...)), roots(before)) || removal.InUse != nil {
			t.Errorf("%s: removed %q, left %q", what, roots(removal.Removed), roots(left))
		}
		wantNothingLeft(t, w.store)
	}
}

func TestDropTreesLeavesWhatARunHas(t *testing.T) {
	w, base, upper, _ := threeTrees(t)
	layout, err := caches.OpenLayout(w.store.layout.Root()) // another process
	if err != nil {
		t.Fatal(err)
	}
	run := workshop{t, Open(layout, digest.BLAKE3), w.sources}
	stack := run.must("", w.edited("edited"))
	removal := drop(t, w.store, all())
	if len(removal.Removed) != 1 || len(removal.InUse) != 2 {
		t.Errorf("removed %q and found %q in use", roots(removal.Removed), roots(removal.InUse))
	}
	if got, want := roots(list(t, w.store)), named(upper, base); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	compare(failing{t}, stack, newTwin(w).must("", w.edited("edited")))
	layout.Leave()
	if removal := drop(t, w.store, all()); len(removal.Removed) != 2 {
		t.Errorf("after the run: removed %q", roots(removal.Removed))
	}
	if again := w.must("series", w.edited("edited")); len(again) != 1 {
		t.Errorf("laid out again in %d layers", len(again))
	}
}

func all() TreeLimits { return TreeLimits{UsedSince: time.Now().Add(time.Hour)} }

func TestDropTreesTakesWhatIsOfNoUseFirst(t *testing.T) {
	w, base, upper, other := threeTrees(t)
	if err := os.RemoveAll(base); err != nil {
		t.Fatal(err)
	}
	used(t, upper, -1)
	old := filepath.Join(w.store.treesFolder(), "sha256", "0123")
	put(t, filepath.Join(old, "some file"), "of another version")
	used(t, old, -1)
	removal := drop(t, w.store, TreeLimits{Trees: 1})
	if got, want := roots(list(t, w.store)), named(other); !slices.Equal(got, want) || len(removal.Removed) != 2 {
		t.Errorf("left %q, want %q; removed %+v", got, want, removal.Removed)
	}
}

func TestDropTreesEndsWhenCancelled(t *testing.T) {
	w, _, _, _ := threeTrees(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.store.DropTrees(ctx, TreeLimits{Trees: 1}, time.Now()); !errors.Is(err, context.Canceled) || len(list(t, w.store)) != 3 {
		t.Errorf("%v; want it cancelled", err)
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
		drop(t, w.store, all())
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

// TestExcessIsThePrefixThatHasToGo: no tree goes that could have stayed.
func TestExcessIsThePrefixThatHasToGo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var rows []TreeRow
		for i := range rapid.IntRange(0, 6).Draw(r, "rows") {
			rows = append(rows, TreeRow{Hash: fmt.Sprint(i), Entries: rapid.Int64Range(0, 9).Draw(r, "entries"), LastUse: time.Unix(int64(i), 0)})
		}
		limits := TreeLimits{
			Trees: rapid.IntRange(0, 6).Draw(r, "trees"), Entries: rapid.Int64Range(0, 30).Draw(r, "all"),
			UsedSince: time.Unix(rapid.Int64Range(-1, 7).Draw(r, "since"), 0),
		}
		fits := func(rows []TreeRow) bool {
			var entries int64
			for _, row := range rows {
				entries += row.Entries
			}
			old := len(rows) > 0 && rows[0].LastUse.Before(limits.UsedSince)
			return !old && (limits.Trees == 0 || len(rows) <= limits.Trees) && (limits.Entries == 0 || entries <= limits.Entries)
		}
		n := len(limits.Excess(rows))
		if !fits(rows[n:]) || n > 0 && fits(rows[n-1:]) {
			r.Fatalf("%+v: %d of %+v have to go", limits, n, rows)
		}
	})
}

func TestReadTreeTakesOnlyWhatItWrote(t *testing.T) {
	s, dir := open(t), t.TempDir()
	if err := (treeRecord{Base: "x/1", Entries: 2, Bytes: 3}).write(dir); err != nil {
		t.Fatal(err)
	}
	if record, err := s.readTree(dir); err != nil || record != (treeRecord{Format: treeFormat, Base: "x/1", Entries: 2, Bytes: 3}) {
		t.Errorf("read %+v, %v", record, err)
	}
	for _, text := range []string{"", "{", `{"format":2}`, "null"} {
		put(t, filepath.Join(dir, recordFile), text)
		if record, err := s.readTree(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: read %+v, %v; want it to count as missing", text, record, err)
		}
	}
}
