package named_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// manyCaches fills a store with so many small caches.
func manyCaches(t testing.TB, n int) *namedtest.Cache {
	t.Helper()
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	for i := range n {
		name, err := caches.ParseName(fmt.Sprintf("cache-%d", i))
		namedtest.Check(t, err)
		c.Ref.Name = name
		checkout, err := c.Store.Checkout(t.Context(), c.Ref, c.Run, named.CheckoutOptions{Copy: true})
		namedtest.Check(t, err)
		layertest.Tree{"x": "x"}.Write(t, checkout.Upper())
		c.Publish(checkout, named.PublishOptions{})
	}
	return c
}

// readAll reads every file of every cache's folder: the least that a list could do.
func readAll(t testing.TB, folder string) {
	t.Helper()
	for _, pattern := range []string{"*/ref.json", "*/head", "*/generations/*"} {
		paths, err := filepath.Glob(filepath.Join(folder, pattern))
		namedtest.Check(t, err)
		for _, path := range paths {
			_, err := os.ReadFile(path)
			namedtest.Check(t, err)
		}
	}
}

// quickest is the shortest of several tries.
func quickest(work func()) time.Duration {
	best := time.Duration(1 << 62)
	for range 7 {
		start := time.Now()
		work()
		best = min(best, time.Since(start))
	}
	return best
}

func TestAListCostsLittleMoreThanReadingIt(t *testing.T) {
	const n = 100
	c := manyCaches(t, n)
	least := quickest(func() { readAll(t, c.Layout.Named()) })
	listed := quickest(func() {
		if rows, err := c.Store.List(""); err != nil || len(rows) != n {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	})
	t.Logf("list %v, reading the files alone %v", listed, least)
	if listed > 10*least {
		t.Errorf("a list of %d caches takes %v, more than ten times what it takes for reading their files (%v)", n, listed, least)
	}
}

func BenchmarkListOf1000(b *testing.B) {
	c := manyCaches(b, 1000)
	for b.Loop() {
		if rows, err := c.Store.List(""); err != nil || len(rows) != 1000 {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
	}
}

// TestAHalfRemovedCacheIsSeenAsOne: between the two renames of a removal, whose
// process may have been stopped or killed there.
func TestAHalfRemovedCacheIsSeenAsOne(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("echo 1 >n")
	shell(t, c.Layout.Root(), `for f in named-v1/*/head; do mv $f ${f%head}gone; done`)
	rows, err := c.Store.List("")
	namedtest.Check(t, err)
	if len(rows) != 1 || rows[0].Status != named.Removing || rows[0].Ref != c.Ref {
		t.Fatalf("it is listed as %+v", rows)
	}
	c.Holds(layertest.Tree{})
	_, err = c.Store.Remove(t.Context(), "")
	namedtest.Check(t, err)
	if rows, err = c.Store.List(""); err != nil || len(rows) > 0 {
		t.Errorf("after its removal it is listed as %+v, %v", rows, err)
	}
	c.Do("echo 2 >m")
	c.Holds(layertest.Tree{"m": "2\n"})
}
