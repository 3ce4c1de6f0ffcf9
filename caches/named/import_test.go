package named_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// filling fills a directory with a tree.
func filling(t *testing.T, tree layertest.Tree) func(string) error {
	return func(dir string) error { tree.Write(t, dir); return nil }
}

// An import replaces the whole content, and can be rolled back even where one
// generation is kept. A run that had the cache is not disturbed.
func TestImportReplacesAndGoesBack(t *testing.T) {
	for _, mode := range []caches.Mode{caches.Mutable, caches.AppendOnly} {
		t.Run(mode.String(), func(t *testing.T) {
			c, ctx := namedtest.New(t, mode, namedtest.Copied), context.Background()
			c.Publish(c.Started("echo old >a; echo old >b"), named.PublishOptions{Keep: 1})
			running := c.Started("echo mine >mine")
			made, err := c.Store.Import(ctx, c.Ref, filling(t, layertest.Tree{"a": "new\n", "d/x": "1"}))
			namedtest.Check(t, err)
			if made.How != "imported" || made.Entries != 3 || made.Bytes != 5 || made.Parent == "" {
				t.Errorf("made %+v", made)
			}
			c.Holds(layertest.Tree{"a": "new\n", "d/x": "1"})
			if got := namedtest.View(t, running.Stack()); got["b"] != "old\n" {
				t.Errorf("the run sees %v", got)
			}
			_, err = c.Store.Rollback(ctx, c.Ref, made.Parent)
			namedtest.Check(t, err)
			c.Holds(layertest.Tree{"a": "old\n", "b": "old\n"})
			if outcome := c.Publish(running, named.PublishOptions{}); outcome.Added != 1 {
				t.Errorf("the run publishes %+v", outcome)
			}
			c.Holds(layertest.Tree{"a": "old\n", "b": "old\n", "mine": "mine\n"})
		})
	}
}

// What cannot be filled changes nothing and leaves nothing.
func TestImportThatFailsLeavesNothing(t *testing.T) {
	c, broken := namedtest.New(t, caches.Mutable, namedtest.Copied), errors.New("broken")
	old := c.Do("echo old >a")
	_, err := c.Store.Import(context.Background(), c.Ref, func(dir string) error {
		namedtest.Check(t, os.Mkdir(filepath.Join(dir, "half"), 0o500))
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	c.Holds(layertest.Tree{"a": "old\n"})
	if rows, err := c.Store.List(""); err != nil || len(rows) != 1 || rows[0].Head != old.After {
		t.Errorf("%+v, %v", rows, err)
	}
	if runs := glob(t, c.Layout.Runs()+"/*"); len(runs) != 1 { // the test's own
		t.Errorf("left: %v", runs)
	}
	c.Ref.Live = true
	if _, err := c.Store.Import(context.Background(), c.Ref, filling(t, layertest.Tree{})); !errors.Is(err, caches.ErrInvalid) {
		t.Errorf("into a live cache: %v", err)
	}
}
