// Package namedtest holds the conformance suite of named caches, for tests
// only: the same cases for private layers that overlayfs writes and for full
// private copies.
package namedtest

import (
	"context"
	"io/fs"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/named"
)

// Backing is what an action that changes a cache writes to.
type Backing int

// Overlaid is under a private layer of overlayfs, Copied a full private copy.
const (
	Overlaid Backing = iota
	Copied
)

// Cache is one named cache in a store of its own.
type Cache struct {
	testing.TB
	Layout  caches.Layout
	Store   *named.Store
	Run     *layers.Run
	Ref     caches.Ref
	Backing Backing
}

// New makes a cache in a fresh store.
func New(t testing.TB, mode caches.Mode, backing Backing) *Cache {
	t.Helper()
	root := filepath.Join(t.TempDir(), "store")
	t.Cleanup(func() { layertest.RemoveAll(t, root) })
	return At(t, root, mode, backing)
}

// At opens a cache in the store at root.
func At(t testing.TB, root string, mode caches.Mode, backing Backing) *Cache {
	t.Helper()
	layout, err := caches.OpenLayout(root)
	Check(t, err)
	run, err := layers.NewRun(layout)
	Check(t, err)
	t.Cleanup(func() { run.Close() })
	name, err := caches.ParseName("demo")
	Check(t, err)
	ref := caches.Ref{Name: name, Mode: mode, Scope: caches.GlobalScope()}
	return &Cache{t, layout, named.Open(layout, journal.Open(layout)), run, ref, backing}
}

// Check ends the test when err is not nil.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Checkout checks the cache out.
func (c *Cache) Checkout() *named.Checkout {
	c.Helper()
	checkout, err := c.Store.Checkout(context.Background(), c.Ref, c.Run, named.CheckoutOptions{Copy: c.Backing == Copied})
	Check(c, err)
	c.Cleanup(checkout.Close)
	return checkout
}

// Act runs a shell script in the directory that an action would see.
func (c *Cache) Act(checkout *named.Checkout, script string) string {
	c.Helper()
	if c.Backing == Overlaid {
		return layertest.Shell(c, layertest.Mount{Lowers: checkout.Lowers(), Upper: checkout.Upper(), Work: checkout.Work()}, script)
	}
	command := exec.Command("sh", "-euc", script)
	command.Dir = checkout.Upper()
	out, err := command.CombinedOutput()
	if err != nil {
		c.Fatalf("in a copy: %v\n%s", err, out)
	}
	return string(out)
}

// Started checks the cache out and runs a script.
func (c *Cache) Started(script string) *named.Checkout {
	c.Helper()
	checkout := c.Checkout()
	c.Act(checkout, script)
	return checkout
}

// Publish publishes a checkout.
func (c *Cache) Publish(checkout *named.Checkout, options named.PublishOptions) named.Outcome {
	c.Helper()
	outcome, err := checkout.Publish(context.Background(), options)
	Check(c, err)
	return outcome
}

// Do is a whole action: check out, run a script, publish.
func (c *Cache) Do(script string) named.Outcome {
	c.Helper()
	return c.Publish(c.Started(script), named.PublishOptions{})
}

// Content reads the head as a tree.
func (c *Cache) Content() layertest.Tree {
	c.Helper()
	checkout := c.Checkout()
	defer checkout.Close()
	return View(c, checkout.Stack())
}

// View reads the view of a stack as a tree.
func View(t testing.TB, stack layers.Stack) layertest.Tree {
	t.Helper()
	tree := layertest.Tree{}
	Check(t, stack.Walk(func(entry layers.Entry) error {
		kind := map[layers.Kind]fs.FileMode{layers.Directory: fs.ModeDir, layers.Symlink: fs.ModeSymlink,
			layers.Special: fs.ModeIrregular}[entry.Kind]
		return tree.Add(entry.Path, entry.Real, kind)
	}))
	return tree
}

// Holds checks what the head holds.
func (c *Cache) Holds(want layertest.Tree) {
	c.Helper()
	if diff := cmp.Diff(want, c.Content()); diff != "" {
		c.Errorf("content (-want +got):\n%s", diff)
	}
}

// Sound checks that the store finds nothing wrong with the cache: that its layers
// hold as much as their manifests say, among others.
func (c *Cache) Sound() {
	c.Helper()
	Check(c, c.Store.Verify(context.Background(), c.Ref.ID(), named.Contents, func(flaw named.Flaw) {
		c.Errorf("%s: %s", flaw.Path, flaw.Problem)
	}))
}

// Is compares an outcome but for generations.
func (c *Cache) Is(got, want named.Outcome) {
	c.Helper()
	got.Before, got.After = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		c.Errorf("outcome (-want +got):\n%s", diff)
	}
}
