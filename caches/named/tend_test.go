package named_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// publish writes a tree as one action does.
func publish(t testing.TB, c *namedtest.Cache, tree layertest.Tree) named.Outcome {
	t.Helper()
	checkout := c.Checkout()
	for path := range tree {
		os.Remove(filepath.Join(checkout.Upper(), path)) // a copy may share the file
	}
	tree.Write(t, checkout.Upper())
	return c.Publish(checkout, named.PublishOptions{})
}

func depth(t testing.TB, c *namedtest.Cache) int {
	t.Helper()
	checkout := c.Checkout()
	defer checkout.Close()
	return len(checkout.Stack())
}

// While publishers, tenders and readers work on one cache, every reader sees one
// publisher's whole content, and merging layers never changes what is read.
func TestMergingBesidePublishersAndReaders(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	root := c.Layout.Root()
	publish(t, c, layertest.Tree{"a": "0", "b": "0", "d/c": "0", "d/e/f": "0"})
	done := make(chan struct{})
	var publishers, others sync.WaitGroup
	for p := range 2 {
		publishers.Go(func() {
			own := namedtest.At(t, root, caches.Mutable, namedtest.Copied)
			for n := range 25 {
				mark := fmt.Sprint(p, "-", n)
				publish(t, own, layertest.Tree{"a": mark, "b": mark, "d/c": mark, "d/e/f": mark, "own/" + mark: mark})
			}
		})
	}
	merged := 0
	for range 2 {
		others.Go(func() {
			tender := namedtest.At(t, root, caches.Mutable, namedtest.Copied).Store.NewTender()
			for until(done) {
				if _, err := tender.Arrange(context.Background()); err != nil {
					t.Errorf("arrange: %v", err)
				}
				if err := tender.Mark(tender.Unmarked()); err != nil {
					t.Errorf("mark: %v", err)
				}
			}
		})
	}
	others.Go(func() {
		reader := namedtest.At(t, root, caches.Mutable, namedtest.Copied)
		for until(done) {
			checkout := reader.Checkout()
			before := namedtest.View(t, checkout.Stack())
			whole := layertest.Tree{}
			for _, path := range []string{"a", "b", "d/c", "d/e/f"} {
				whole[path] = before[path]
			}
			wholeGeneration(t, whole)
			if len(checkout.Stack()) == 1 {
				merged++
			}
			checkout.Close()
		}
	})
	publishers.Wait()
	close(done)
	others.Wait()
	if merged == 0 {
		t.Log("no reader met a merged stack")
	}
	durably(t, c.Store)
	if n := depth(t, c); n > layers.MaxDepth {
		t.Errorf("%d layers are left", n)
	}
}

func until(done chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// Merging layers and a rollback, a removal or another merge in its midst: what was
// merged is used only when the head still has those layers.
func TestHeadThatMovesWhileLayersAreMerged(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	for n := range 7 {
		publish(t, c, layertest.Tree{fmt.Sprint("f", n): "x"})
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { namedtest.Check(t, c.Store.Compact(context.Background(), c.Ref)) })
	}
	for n := range 5 {
		publish(t, c, layertest.Tree{fmt.Sprint("g", n): "y"})
	}
	wait.Wait()
	want := layertest.Tree{}
	for n := range 7 {
		want[fmt.Sprint("f", n)] = "x"
	}
	for n := range 5 {
		want[fmt.Sprint("g", n)] = "y"
	}
	c.Holds(want)
	wait.Go(func() { namedtest.Check(t, c.Store.Compact(context.Background(), c.Ref)) })
	if _, err := c.Store.Remove(context.Background(), ""); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if content := c.Content(); len(content) != 0 && len(content) != len(want) {
		t.Errorf("after a removal: %v", content)
	}
}

// A cache that changes by one percent again and again, and is tended now and then,
// stays within the depth that walks can afford.
func TestSteadyStateStaysShallow(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Backing = namedtest.Overlaid // the private layer is written by hand: no mount is needed
	const files = 2000
	base := layertest.Tree{}
	for n := range files {
		base[fmt.Sprintf("d%d/f%d", n/100, n)] = "x"
	}
	publish(t, c, base)
	tender := c.Store.NewTender()
	deepest := 0
	for n := range 60 {
		change := layertest.Tree{}
		for f := range files / 100 {
			i := (n*37 + f*101) % files
			change[fmt.Sprintf("d%d/f%d", i/100, i)] = fmt.Sprint(n)
		}
		publish(t, c, change)
		if n%3 == 0 {
			if _, err := tender.Arrange(context.Background()); err != nil {
				t.Fatal(err)
			}
			deepest = max(deepest, depth(t, c))
		}
	}
	if deepest > layers.MaxDepth || deepest < 2 {
		t.Errorf("after tending the stack has up to %d layers", deepest)
	}
	if content := c.Content(); len(content) != files {
		t.Errorf("%d files", len(content))
	}
}

// A publisher merges layers itself only when nobody has for very long.
func TestRelieve(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	for n := range 34 {
		publish(t, c, layertest.Tree{fmt.Sprint("f", n): "x"})
		was := depth(t, c)
		namedtest.Check(t, c.Store.Relieve(context.Background(), c.Ref))
		if is := depth(t, c); (is < was) != (n+1 > 32) && was == n+1 {
			t.Fatalf("of %d layers %d are left", was, is)
		}
	}
	if content := c.Content(); len(content) != 34 {
		t.Errorf("%d files", len(content))
	}
}

// Where nobody works in the background, publishers do it.
func TestTendByPublishers(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	ctx := context.Background()
	namedtest.Check(t, c.Store.Tend(ctx, c.Ref)) // an empty cache is no error
	for n := range 9 {
		publish(t, c, layertest.Tree{fmt.Sprint("f", n): "x"})
	}
	namedtest.Check(t, c.Store.Tend(ctx, c.Ref))
	rows, err := c.Store.List("")
	namedtest.Check(t, err)
	if len(rows) != 1 || rows[0].Layers != 1 || rows[0].Durable {
		t.Errorf("a young generation: %+v", rows)
	}
	// As if the head had been made some time ago.
	manifest := filepath.Join(c.Layout.Named(), c.Ref.ID(), "generations", rows[0].Head+".json")
	data, err := os.ReadFile(manifest)
	namedtest.Check(t, err)
	line, _, _ := strings.Cut(string(data), "\n") // one that is edited has no seal
	old := strings.Replace(line, `"created":"20`, `"created":"19`, 1)
	namedtest.Check(t, os.WriteFile(manifest, []byte(old), 0o644))
	namedtest.Check(t, c.Store.Tend(ctx, c.Ref))
	if rows, err = c.Store.List(""); err != nil || !rows[0].Durable {
		t.Errorf("an old generation: %+v, %v", rows, err)
	}
}

func TestTenderListsEveryLayer(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	tender := c.Store.NewTender()
	for n := range 12 {
		publish(t, c, layertest.Tree{fmt.Sprint("f", n): "x"})
		if changed, err := tender.Arrange(context.Background()); changed == 0 || err != nil {
			t.Fatalf("arranged %d caches, %v", changed, err)
		}
		checkout := c.Checkout()
		for _, layer := range checkout.Stack() {
			err := layers.CheckSum(context.Background(), layer, func(f layers.Flaw) { t.Errorf("layer %s: %+v", layer.ID, f) })
			if err != nil || !layer.HasSum() {
				t.Errorf("layer %s: %v", layer.ID, err)
			}
		}
		checkout.Close()
	}
	for changed := 1; changed > 0; {
		var err error
		if changed, err = tender.Arrange(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	durably(t, c.Store)
	for _, sum := range glob(t, c.Layout.Layers()+"/*/*.sum") {
		if _, err := os.Lstat(strings.TrimSuffix(sum, ".sum")); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left of a layer that is gone", sum)
		}
	}
}

// A publish deletes the layers that a merge has made needless only where nobody
// else will.
func TestNeedlessLayersAreDeletedInTheBackground(t *testing.T) {
	for _, listed := range []bool{false, true} {
		c := namedtest.New(t, caches.Mutable, namedtest.Copied)
		for n := range 8 {
			publish(t, c, layertest.Tree{fmt.Sprint("f", n): "x"})
		}
		namedtest.Check(t, c.Store.Compact(context.Background(), c.Ref))
		c.Publish(c.Started("echo x >more"), named.PublishOptions{Listed: listed})
		left := glob(t, c.Layout.Temp()+"/*")
		if (len(left) == 0) != listed {
			t.Errorf("listed %v: there is left %v", listed, left)
		}
		if _, err := c.Store.NewTender().Arrange(context.Background()); err != nil {
			t.Error(err)
		}
		if left := glob(t, c.Layout.Temp()+"/*"); len(left) > 0 {
			t.Errorf("after tending, there is still %v", left)
		}
		c.Sound()
	}
}

// Damage in one cache does not keep the others from being looked after.
func TestTenderGoesPastDamage(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	publish(t, c, layertest.Tree{"a": "x"})
	other := *c
	other.Ref.Key = "other"
	publish(t, &other, layertest.Tree{"a": "x"})
	cut(filepath.Join(c.Layout.Named(), c.Ref.ID(), "ref.json"), "zeroed")
	cut(filepath.Join(c.Layout.Named(), "stray", "ref.json"), "zeroed")
	durably(t, c.Store)
	rows, err := c.Store.List("")
	namedtest.Check(t, err)
	durable := 0
	for _, row := range rows {
		if row.Durable {
			durable++
		}
	}
	if durable != 1 || time.Since(rows[0].LastUsed) < 0 {
		t.Errorf("%d of %+v are durable", durable, rows)
	}
}
