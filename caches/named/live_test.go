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

func newLive(t *testing.T) *namedtest.Cache {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Ref.Live = true
	return c
}

// Two checkouts of a live cache have one directory; neither makes a generation.
func TestLiveIsOneDirectory(t *testing.T) {
	c := newLive(t)
	one, two := c.Checkout(), c.Checkout()
	layertest.Tree{"x": "1"}.Write(t, one.Upper())
	if got := layertest.Read(t, two.Upper())["x"]; got != "1" {
		t.Errorf("the other sees %q", got)
	}
	c.Is(c.Publish(one, named.PublishOptions{}), named.Outcome{Result: named.Published})
	outcome, err := two.Discard()
	namedtest.Check(t, err)
	if outcome.Result != named.Published || outcome.After != "" {
		t.Errorf("a discard: %+v", outcome)
	}
	if history, err := c.Store.History(c.Ref); err != nil || len(history) != 0 {
		t.Errorf("history %v, %v", history, err)
	}
	if _, err := c.Store.Rollback(context.Background(), c.Ref, "0"); err == nil {
		t.Error("a live cache was rolled back")
	}
	if left := glob(t, c.Layout.Layers()+"/*/*"); len(left) != 0 {
		t.Errorf("it has layers: %v", left)
	}
}

// A live cache is not the one of the same name that has generations.
func TestLiveIsApart(t *testing.T) {
	c := newLive(t)
	live := c.Checkout()
	layertest.Tree{"x": "live"}.Write(t, live.Upper())
	c.Ref.Live = false
	c.Do("echo kept >y")
	c.Holds(layertest.Tree{"y": "kept\n"})
	if got := layertest.Read(t, live.Upper()); len(got) != 1 {
		t.Errorf("the live one holds %v", got)
	}
}

func TestLiveInUseIsNotRemoved(t *testing.T) {
	c, ctx := newLive(t), context.Background()
	held := c.Checkout()
	layertest.Tree{"d/x": "123"}.Write(t, held.Upper())
	for _, want := range []named.Status{named.InUse, named.Cached} {
		rows, err := c.Store.List("demo")
		namedtest.Check(t, err)
		if len(rows) != 1 || rows[0].Status != want || rows[0].Entries != 2 || rows[0].Bytes != 3 || rows[0].LastUsed.IsZero() {
			t.Fatalf("rows are %+v, want one that is %s", rows, want)
		}
		removal, err := c.Store.Remove(ctx, "demo")
		namedtest.Check(t, err)
		if removed := len(removal.Removed) == 1; removed != (want == named.Cached) {
			t.Errorf("%s, and removal %+v", want, removal)
		}
		held.Close()
	}
	if rows, err := c.Store.List(""); err != nil || len(rows) != 0 {
		t.Errorf("left: %+v, %v", rows, err)
	}
}

// What a process does to the modes of the directory is undone for the next.
func TestLiveHeals(t *testing.T) {
	c := newLive(t)
	one := c.Checkout()
	namedtest.Check(t, os.Chmod(one.Upper(), 0))
	one.Close()
	layertest.Tree{"x": "1"}.Write(t, c.Checkout().Upper())
	info, err := os.Stat(filepath.Dir(one.Upper()))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter: %v, %v", info.Mode(), err)
	}
}

// A link in the place of the directory is not followed: what it leads to would
// become readable for all, and be written to.
func TestLiveIsNoLink(t *testing.T) {
	c := newLive(t)
	one := c.Checkout()
	one.Close()
	private := filepath.Join(t.TempDir(), "private")
	namedtest.Check(t, errors.Join(os.Mkdir(private, 0o700), os.Remove(one.Upper()), os.Symlink(private, one.Upper())))
	run, err := layers.NewRun(c.Layout)
	namedtest.Check(t, err)
	defer run.Close()
	if _, err := c.Store.Checkout(context.Background(), c.Ref, run, named.CheckoutOptions{}); !errors.Is(err, layers.ErrDamaged) {
		t.Errorf("it was checked out: %v", err)
	}
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("what it leads to has the mode %v, %v", info.Mode(), err)
	}
}
