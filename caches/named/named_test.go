package named_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	layertest.Main(m.Run)
}

func TestOverlay(t *testing.T) { namedtest.Suite(t, namedtest.Overlaid) }

func TestCopy(t *testing.T) { namedtest.Suite(t, namedtest.Copied) }

func TestCheckoutEndsOnce(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	checkout := c.Started("echo x >x")
	if _, err := checkout.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := checkout.Publish(context.Background(), named.PublishOptions{}); !errors.Is(err, named.ErrEnded) {
		t.Errorf("publish after discard: %v", err)
	}
	checkout.Close()
	c.Holds(layertest.Tree{})
}

// The view of a checkout stays as it is whatever others publish, compact and drop.
func TestCheckoutIsStable(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("echo 0 >n; echo old >old")
	old := c.Checkout()
	for _, n := range []string{"1", "2", "3", "4"} {
		c.Do("echo " + n + " >n; rm -f old")
		namedtest.Check(t, c.Store.Compact(context.Background(), c.Ref))
	}
	got := namedtest.View(t, old.Stack())
	if got["n"] != "0\n" || got["old"] != "old\n" {
		t.Errorf("leased view changed: %v", got)
	}
	c.Holds(layertest.Tree{"n": "4\n"})
}

func TestForgedMarks(t *testing.T) {
	c := namedtest.New(t, caches.AppendOnly, namedtest.Copied)
	c.Do("mkdir d; echo 1 >d/x")
	checkout := c.Started("echo 2 >d/y")
	setMark(t, filepath.Join(checkout.Upper(), "d"), "user.overlay.opaque", "y")
	setMark(t, filepath.Join(checkout.Upper(), "d/y"), "user.overlay.whiteout", "y")
	c.Publish(checkout, named.PublishOptions{})
	c.Holds(layertest.Tree{"d/x": "1\n", "d/y": "2\n"})
	if mark := getMark(filepath.Join(headLayer(c), "d/y"), "user.overlay.whiteout"); mark != "" {
		t.Errorf("a forged mark came through: %q", mark)
	}
}

func headLayer(c *namedtest.Cache) string {
	checkout := c.Checkout()
	defer checkout.Close()
	stack := checkout.Stack()
	return stack[len(stack)-1].Path
}

func TestHistoryAndRollback(t *testing.T) {
	c, ctx := namedtest.New(t, caches.Mutable, namedtest.Copied), context.Background()
	one := c.Do("echo 1 >n")
	two := c.Do("echo 2 >n")
	history, err := c.Store.History(c.Ref)
	namedtest.Check(t, err)
	if len(history) != 2 || history[0].ID != two.After || history[1].ID != one.After {
		t.Fatalf("history is %+v, want %s then %s", history, two.After, one.After)
	}
	back, err := c.Store.Rollback(ctx, c.Ref, one.After[:8])
	namedtest.Check(t, err)
	c.Holds(layertest.Tree{"n": "1\n"})
	if back.How != "rolled-back" || back.SameAs != one.After {
		t.Errorf("rolled back to %+v", back)
	}
	if _, err := c.Store.Rollback(ctx, c.Ref, "feed"); !errors.Is(err, named.ErrNoGeneration) {
		t.Errorf("rollback to nothing: %v", err)
	}
	c.Do("echo 3 >n")
	if history, _ = c.Store.History(c.Ref); len(history) != 2 {
		t.Errorf("%d generations stay, want 2", len(history))
	}
}

func TestListRemoveInspect(t *testing.T) {
	c, ctx := namedtest.New(t, caches.Mutable, namedtest.Copied), context.Background()
	c.Do("echo 1 >n; echo 22 >m")
	rows, err := c.Store.List("d*")
	namedtest.Check(t, err)
	if len(rows) != 1 || rows[0].Status != named.Cached || rows[0].Entries != 2 || rows[0].Bytes != 5 || rows[0].Ref != c.Ref {
		t.Fatalf("rows are %+v", rows)
	}
	held := c.Started("echo 2 >n")
	removal, err := c.Store.Remove(ctx, "demo")
	namedtest.Check(t, err)
	if len(removal.Skipped) != 1 || removal.Skipped[0].Status != named.InUse {
		t.Errorf("removal of a cache in use: %+v", removal)
	}
	c.Publish(held, named.PublishOptions{})
	c.Holds(layertest.Tree{"n": "2\n", "m": "22\n"})
	removal, err = c.Store.Remove(ctx, "demo")
	namedtest.Check(t, err)
	if len(removal.Removed) != 1 {
		t.Errorf("removal: %+v", removal)
	}
	c.Holds(layertest.Tree{})
	if _, err := c.Store.Inspect(c.Ref); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("inspect after removal: %v", err)
	}
}

// A run that checked an empty cache out publishes to a fresh one after a removal.
func TestRemoveUnderEmptyCheckout(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	held := c.Started("echo mine >mine")
	c.Do("echo 1 >n")
	if _, err := c.Store.Remove(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	c.Is(c.Publish(held, named.PublishOptions{}), named.Outcome{Result: named.Published, Added: 1})
	c.Holds(layertest.Tree{"mine": "mine\n"})
}

func TestDamageCountsAsEmpty(t *testing.T) {
	for name, damage := range map[string]string{
		"head":     `for f in named-v1/*/head; do echo garbage >$f; done`,
		"manifest": `for f in named-v1/*/generations/*; do echo '{' >$f; done`,
		"gone":     `rm named-v1/*/generations/*`,
		"layer":    `rm -r layers-v1/*/*`,
	} {
		t.Run(name, func(t *testing.T) {
			c := namedtest.New(t, caches.Mutable, namedtest.Copied)
			c.Do("echo 1 >n")
			shell(t, c.Layout.Root(), damage)
			rows, err := c.Store.List("")
			namedtest.Check(t, err)
			if len(rows) != 1 || rows[0].Status != named.Corrupt {
				t.Errorf("rows are %+v", rows)
			}
			checkout := c.Started("echo 2 >m")
			if checkout.Warning() == nil {
				t.Error("no warning")
			}
			c.Publish(checkout, named.PublishOptions{})
			c.Holds(layertest.Tree{"m": "2\n"})
		})
	}
}

func TestCompactKeepsContentAndDepth(t *testing.T) {
	c, ctx := namedtest.New(t, caches.Mutable, namedtest.Copied), context.Background()
	want := layertest.Tree{}
	for n := range 40 {
		name := string(rune('a' + n%26))
		c.Do("echo " + name + " >>" + name + "; mkdir -p dir; rm -rf dir/*; echo x >dir/" + name)
		want[name] += name + "\n"
		namedtest.Check(t, c.Store.Compact(ctx, c.Ref))
		if rows, _ := c.Store.List(""); rows[0].Layers > layers.MaxDepth {
			t.Fatalf("%d layers after %d publishes", rows[0].Layers, n+1)
		}
	}
	want["dir/n"] = "x\n"
	c.Holds(want)
	if left := len(glob(t, c.Layout.Layers()+"/*/*")); left > layers.MaxDepth+6 {
		t.Errorf("%d layers on disk", left)
	}
}

func glob(t *testing.T, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	namedtest.Check(t, err)
	return paths
}

// With lock=true a second action waits for the first to end.
func TestAlone(t *testing.T) {
	c, ctx := namedtest.New(t, caches.Mutable, namedtest.Copied), context.Background()
	options := named.CheckoutOptions{Copy: true, Alone: true}
	one, err := c.Store.Checkout(ctx, c.Ref, c.Run, options)
	namedtest.Check(t, err)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Store.Checkout(gone, c.Ref, c.Run, options); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
	second := make(chan string)
	go func() {
		two, err := c.Store.Checkout(ctx, c.Ref, c.Run, options)
		if err != nil {
			second <- err.Error()
			return
		}
		defer two.Close()
		second <- two.Generation()
	}()
	c.Act(one, "echo 1 >n")
	outcome := c.Publish(one, named.PublishOptions{})
	if saw := <-second; saw != outcome.After {
		t.Errorf("the second checked out %q, want %q", saw, outcome.After)
	}
}

// As many generations stay as were asked for, and nothing is left in Temp.
func TestKeepAndCollect(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		c.Publish(c.Started("echo "+n+" >n"), named.PublishOptions{Keep: 3})
	}
	history, err := c.Store.History(c.Ref)
	namedtest.Check(t, err)
	if len(history) != 3 {
		t.Errorf("%d generations, want 3", len(history))
	}
	inspection, err := c.Store.Inspect(c.Ref)
	namedtest.Check(t, err)
	if inspection.Generations != 3 || inspection.Head != history[0].ID {
		t.Errorf("inspected %+v", inspection.Row)
	}
	for _, path := range glob(t, c.Layout.Temp()+"/*") {
		t.Errorf("%s is left", path)
	}
}
