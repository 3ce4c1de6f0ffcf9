package named

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// act runs one action on a cache, which writes a file.
func act(t *testing.T, s *Store, ref caches.Ref, file string) (string, Outcome, error) {
	t.Helper()
	run, err := layers.NewRun(s.layout)
	must(t, err)
	t.Cleanup(func() { run.Close() })
	checkout, err := s.Checkout(context.Background(), ref, run, CheckoutOptions{})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(checkout.Upper(), file), nil, 0o644))
	outcome, err := checkout.Publish(context.Background(), PublishOptions{})
	return checkout.Generation(), outcome, err
}

// TestAStoppedProcessHoldsNobodyUpForEver: a process may be stopped while it has
// the lock of a cache, or of a generation. Others give up in time, say so, and
// leave the cache as it is.
func TestAStoppedProcessHoldsNobodyUpForEver(t *testing.T) {
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	must(t, err)
	store := Open(layout, nil)
	store.patience = 100 * time.Millisecond
	demo, err := caches.ParseName("demo")
	must(t, err)
	ref := caches.Ref{Name: demo, Mode: caches.Mutable}
	_, last, err := act(t, store, ref, "one")
	must(t, err)
	i := store.instance(ref)
	for _, name := range []string{lockFile, "manifest"} {
		path := i.path(name)
		if name == "manifest" {
			path = i.manifest(last.After)
		}
		stopped, err := layers.TryAcquire(path)
		must(t, err)
		if _, outcome, err := act(t, store, ref, "two"); outcome.Result != Failed || !errors.Is(err, layers.ErrLocked) {
			t.Errorf("%s: %s, %v; want that it failed because of the lock", name, outcome.Result, err)
		}
		if head, err := i.readHead(); err != nil || head != last.After {
			t.Errorf("the head is %q, %v; want it as it was, %s", head, err, last.After)
		}
		stopped.Close()
		base, outcome, err := act(t, store, ref, "after "+name)
		if err != nil || base != last.After || outcome.Result != Published {
			t.Errorf("%s, when it is free: %+v from %q, %v", name, outcome, base, err)
		}
		last = outcome
	}
}
