package named_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// Any sequence of interleaved checkouts, writes and publishes leaves what a
// plain map says by the rules of the mode. Paths do not nest, so the rules are
// those of single paths; nesting is in the conformance suite.
func TestModel(t *testing.T) {
	for _, mode := range []caches.Mode{caches.AppendOnly, caches.Mutable} {
		t.Run(mode.String(), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { run(t, r, mode) })
		})
	}
}

// world is the cache and the map that it must be like.
type world struct {
	*namedtest.Cache
	head map[string]string
	open []*action
}

type action struct {
	checkout   *named.Checkout
	base, mine map[string]string
	touched    map[string]bool
}

func run(t *testing.T, r *rapid.T, mode caches.Mode) {
	w := &world{Cache: namedtest.New(t, mode, namedtest.Copied), head: map[string]string{}}
	defer w.Run.Close()
	for range rapid.IntRange(2, 8).Draw(r, "steps") {
		if len(w.open) == 0 || len(w.open) < 3 && rapid.Bool().Draw(r, "start") {
			w.start(r)
			continue
		}
		w.finish(r, rapid.IntRange(0, len(w.open)-1).Draw(r, "which"))
		if rapid.Bool().Draw(r, "compact") {
			namedtest.Check(t, w.Store.Compact(context.Background(), w.Ref))
		}
		if diff := cmp.Diff(layertest.Tree(w.head), w.Content()); diff != "" {
			r.Fatalf("head (-model +got):\n%s", diff)
		}
	}
}

func (w *world) start(r *rapid.T) {
	a := &action{checkout: w.Checkout(), base: maps.Clone(w.head), mine: maps.Clone(w.head), touched: map[string]bool{}}
	for range rapid.IntRange(0, 4).Draw(r, "writes") {
		path := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "path")
		full := filepath.Join(a.checkout.Upper(), path)
		a.touched[path] = true
		if rapid.IntRange(0, 3).Draw(r, "remove") == 0 {
			os.Remove(full)
			delete(a.mine, path)
			continue
		}
		a.mine[path] = fmt.Sprint(rapid.IntRange(0, 2).Draw(r, "content"))
		namedtest.Check(w, os.WriteFile(full, []byte(a.mine[path]), 0o644))
	}
	w.open = append(w.open, a)
}

func (w *world) finish(r *rapid.T, n int) {
	a := w.open[n]
	w.open = append(w.open[:n:n], w.open[n+1:]...)
	outcome := w.Publish(a.checkout, named.PublishOptions{})
	if w.Ref.Mode == caches.AppendOnly {
		w.added(r, a, outcome)
		return
	}
	w.swapped(r, a, outcome)
}

func (w *world) added(r *rapid.T, a *action, outcome named.Outcome) {
	added, bad, conflicts := 0, 0, 0
	for path := range a.touched {
		mine, written := a.mine[path]
		old, existed := a.base[path]
		now, there := w.head[path]
		switch {
		case existed && (!written || mine != old):
			bad++
		case !existed && written && !there:
			w.head[path] = mine
			added++
		case !existed && written && now != mine:
			conflicts++
		}
	}
	if outcome.Added != added || len(outcome.Violations) != bad || len(outcome.Conflicts) != conflicts {
		r.Fatalf("%d added, %d violations, %d conflicts in the model; %+v", added, bad, conflicts, outcome)
	}
}

func (w *world) swapped(r *rapid.T, a *action, outcome named.Outcome) {
	switch outcome.Result {
	case named.Unchanged:
		if !maps.Equal(a.mine, a.base) {
			r.Fatalf("unchanged, but %v became %v", a.base, a.mine)
		}
	case named.Replaced:
		if !w.overlap(a) {
			r.Fatalf("replaced without an overlap: %+v", outcome)
		}
		w.head = a.mine
	case named.Merged, named.Published:
		w.stack(a)
	default:
		r.Fatalf("outcome %+v", outcome)
	}
}

// stack puts what an action changed over the head. A path that was made and
// removed again is no change.
func (w *world) stack(a *action) {
	for path := range a.touched {
		content, written := a.mine[path]
		if _, existed := a.base[path]; existed && !written {
			delete(w.head, path)
		}
		if written {
			w.head[path] = content
		}
	}
}

// overlap reports whether some path was written here and is different in base
// and head.
func (w *world) overlap(a *action) bool {
	for path := range a.touched {
		old, existed := a.base[path]
		now, there := w.head[path]
		if existed != there || old != now || existed {
			return true
		}
	}
	return false
}

// Whatever bytes a manifest or a ref.json holds, reading it gives an error or
// something safe, and a cache that counts as empty.
func FuzzDamage(f *testing.F) {
	f.Add([]byte(`{"format":1,"id":"0011223344556677","layers":[{"id":"../../../etc"}]}`), []byte(`{"format":1,"name":"x","mode":"mutable","scope_kind":9}`))
	f.Add([]byte(`null`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, manifest, ref []byte) {
		c := namedtest.New(t, caches.Mutable, namedtest.Copied)
		head := "0011223344556677"
		folder := filepath.Join(c.Layout.Named(), c.Ref.ID())
		namedtest.Check(t, os.MkdirAll(filepath.Join(folder, "generations"), 0o755))
		for name, data := range map[string][]byte{"generations/" + head + ".json": manifest, "ref.json": ref, "head": []byte(head + "\n")} {
			namedtest.Check(t, os.WriteFile(filepath.Join(folder, name), data, 0o644))
		}
		if rows, err := c.Store.List(""); err != nil || len(rows) != 1 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		checkout := c.Checkout()
		for _, layer := range checkout.Stack() {
			if filepath.Dir(layer.Path) != filepath.Join(c.Layout.Layers(), c.Ref.ID()) {
				t.Errorf("layer at %s", layer.Path)
			}
		}
	})
}
