package named_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// flaws verifies the cache.
func flaws(t testing.TB, c *namedtest.Cache, depth named.Depth) (found []named.Flaw) {
	t.Helper()
	namedtest.Check(t, c.Store.Verify(context.Background(), c.Ref.ID(), depth, func(flaw named.Flaw) { found = append(found, flaw) }))
	return found
}

func manifestPath(c *namedtest.Cache, generation string) string {
	return filepath.Join(c.Layout.Named(), c.Ref.ID(), "generations", generation+".json")
}

// three publishes three generations that all stay.
func three(t testing.TB) (c *namedtest.Cache, ids []string) {
	t.Helper()
	c = namedtest.New(t, caches.Mutable, namedtest.Copied)
	for n := range 3 {
		checkout := c.Started(fmt.Sprint("echo x >", n))
		ids = append(ids, c.Publish(checkout, named.PublishOptions{Keep: 3}).After)
	}
	return c, ids
}

func TestVerifyFindsAMissingGenerationOfTheHistory(t *testing.T) {
	for _, lost := range []int{0, 1} {
		c, ids := three(t)
		c.Sound()
		namedtest.Check(t, os.Remove(manifestPath(c, ids[lost])))
		for range 2 {
			if got := flaws(t, c, named.Shape); len(got) != 1 || got[0].Path != manifestPath(c, ids[lost]) || got[0].Read {
				t.Errorf("generation %d: %+v; want that it is missing", lost, got)
			}
		}
		_, err := c.Store.Repair(context.Background(), c.Ref.ID(), nil)
		namedtest.Check(t, err)
		c.Sound()
		c.Holds(layertest.Tree{"0": "x\n", "1": "x\n", "2": "x\n"})
	}
}

func TestAPublishAfterAMissingGenerationGoesOnWithoutIt(t *testing.T) {
	c, ids := three(t)
	namedtest.Check(t, os.Remove(manifestPath(c, ids[0])))
	c.Do("echo y >3")
	c.Sound()
}

func TestMarksOfWhatWasDroppedGoWithTheHeadThatNamedIt(t *testing.T) {
	c, ids := three(t)
	_, err := c.Store.Trim(c.Ref.ID(), 1)
	namedtest.Check(t, err)
	c.Sound()
	marks := func() []string {
		found, err := filepath.Glob(filepath.Join(c.Layout.Named(), c.Ref.ID(), "generations", "*.dropped"))
		namedtest.Check(t, err)
		return found
	}
	if got := marks(); len(got) != 2 {
		t.Errorf("%v; want a mark for each of %v", got, ids[:2])
	}
	c.Do("echo y >3")
	if got := marks(); len(got) != 0 {
		t.Errorf("after a publish there is still %v", got)
	}
	c.Sound()
}

// A head that a restart has cost stays as long as it is what the cache names.
func TestATrimAfterARestartDamagesNothing(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	store := c.Store
	c.Store = store.OnBoot("one")
	c.Do("echo x >durable")
	durably(t, c.Store)
	c.Do("echo x >lost")
	c.Store = store.OnBoot("two")
	_, err := c.Store.Trim(c.Ref.ID(), 1)
	namedtest.Check(t, err)
	c.Sound()
	c.Holds(layertest.Tree{"durable": "x\n"})
	c.Do("echo x >new")
	c.Sound()
	c.Holds(layertest.Tree{"durable": "x\n", "new": "x\n"})
	if left := glob(t, filepath.Join(c.Layout.Named(), c.Ref.ID(), "generations", "*.json")); len(left) != 2 {
		t.Errorf("%v; want the head and the durable generation", left)
	}
}

// Whatever becomes of a cache by itself, nothing of its history counts as missing.
func TestNothingThatWasLetGoIsMissed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := namedtest.New(t, caches.Mutable, namedtest.Copied)
		defer c.Run.Close()
		ctx, store, boot := context.Background(), c.Store, 0
		c.Store = store.OnBoot("0")
		var held []*named.Checkout
		for n := range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.IntRange(0, 7).Draw(r, "step") {
			default:
				checkout := c.Checkout()
				layertest.Tree{fmt.Sprint(n): "x"}.Write(t, checkout.Upper())
				c.Publish(checkout, named.PublishOptions{Keep: rapid.IntRange(1, 4).Draw(r, "keep")})
			case 0:
				_ = c.Store.Compact(ctx, c.Ref)
			case 1:
				_, _ = c.Store.Trim(c.Ref.ID(), rapid.IntRange(1, 3).Draw(r, "keep"))
			case 2:
				durably(t, c.Store)
			case 3:
				held = append(held, c.Checkout())
			case 4:
				if history, err := c.Store.History(c.Ref); err == nil && len(history) > 1 {
					_, _ = c.Store.Rollback(ctx, c.Ref, history[len(history)-1].ID)
				}
			case 5:
				boot++
				c.Store = store.OnBoot(fmt.Sprint(boot))
			}
			if found := flaws(t, c, named.Shape); len(found) > 0 {
				r.Fatalf("after step %d: %+v", n, found)
			}
		}
		for _, checkout := range held {
			checkout.Close()
		}
	})
}
