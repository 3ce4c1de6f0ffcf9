package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/named"
)

// changedShare is the part of a cache that each round changes: 1 in 100.
const changedShare = 100

// checkoutAndPublish measures a mutable cache of which one file in a hundred
// changes, against `cp -a` and a swap by rename, at three sizes.
func checkoutAndPublish(ctx context.Context, b *bench) ([]row, error) {
	store := b.path("store-publish")
	if err := layers.RemoveTree(store); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	defer layers.RemoveTree(store) // what stays costs space only
	var rows []row
	for _, c := range []struct {
		files int
		peer  way
		bar   float64
	}{{1000, copyAside(), 0}, {20000, copyAside(), 20}, {20000, linkAside(), 0}, {20000, bindMount(), 0}, {100000, copyAside(), 0}} {
		ours, peer, ratio, err := publishOf(ctx, b, c.files, c.peer)
		if err != nil {
			return nil, err
		}
		r := row{fmt.Sprintf("checkout and publish of a mutable cache, %d files, %d changed, against %s", c.files, c.files/changedShare, c.peer.name),
			ms(ours), ms(peer), fmt.Sprintf("%.1f times faster", 1/ratio), "", true}
		if c.bar > 0 {
			r.bar, r.met = fmt.Sprintf("%.0f times faster", c.bar), 1/ratio >= c.bar
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func publishOf(ctx context.Context, b *bench, files int, other way) (ours, peer time.Duration, ratio float64, err error) {
	cache, err := newCache(b, files)
	if err != nil {
		return 0, 0, 0, err
	}
	plain := b.path(fmt.Sprintf("cache-%d", files))
	var left, right []time.Duration
	var ratios []float64
	for range min(20, max(1, 100000/files)) {
		one, err := cache.round(ctx, files/changedShare)
		if err != nil {
			return 0, 0, 0, err
		}
		theirs, err := other.round(ctx, plain, files)
		if err != nil {
			return 0, 0, 0, err
		}
		left, right = append(left, one), append(right, theirs)
		ratios = append(ratios, float64(one)/float64(theirs))
	}
	return median(left), median(right), median(ratios), nil
}

// cacheUnderTest is a mutable cache with files in it.
type cacheUnderTest struct {
	layout caches.Layout
	store  *named.Store
	ref    caches.Ref
	files  int
	rounds int
}

func newCache(b *bench, files int) (*cacheUnderTest, error) {
	plain := b.path(fmt.Sprintf("cache-%d", files))
	if err := makeFiles(plain, files); err != nil {
		return nil, err
	}
	layout, err := caches.OpenLayout(b.path("store-publish"))
	if err != nil {
		return nil, err
	}
	name, err := caches.ParseName("bench")
	if err != nil {
		return nil, err
	}
	c := &cacheUnderTest{
		layout: layout, store: named.Open(layout, nil), files: files,
		ref: caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.GlobalScope(), Key: fmt.Sprintf("%d files, %d", files, time.Now().UnixNano())},
	}
	return c, c.fill(plain)
}

func (c *cacheUnderTest) fill(plain string) error {
	run, err := layers.NewRun(c.layout)
	if err != nil {
		return err
	}
	defer run.Close()
	ctx := context.Background()
	checkout, err := c.store.Checkout(ctx, c.ref, run, named.CheckoutOptions{})
	if err != nil {
		return err
	}
	if err := layers.CopyStack(layers.Stack{{ID: "plain", Path: plain}}, checkout.Upper()); err != nil {
		return err
	}
	_, err = checkout.Publish(ctx, named.PublishOptions{})
	return err
}

// round checks out, changes files in the private layer as a process would, and
// publishes. Writing the changes is not measured: the copying way writes too.
func (c *cacheUnderTest) round(ctx context.Context, changed int) (time.Duration, error) {
	c.rounds++
	begin := time.Now()
	run, err := layers.NewRun(c.layout)
	if err != nil {
		return 0, err
	}
	checkout, err := c.store.Checkout(ctx, c.ref, run, named.CheckoutOptions{})
	if err != nil {
		return 0, err
	}
	before := time.Since(begin)
	if err := change(checkout.Upper(), c.files, changed, c.rounds); err != nil {
		return 0, err
	}
	begin = time.Now()
	outcome, err := checkout.Publish(ctx, named.PublishOptions{})
	if err != nil {
		return 0, err
	}
	if outcome.Result != named.Published || outcome.Changed != min(changed, c.files) {
		return 0, fmt.Errorf("published as %s with %d changed, expected %d", outcome.Result, outcome.Changed, changed)
	}
	if err := run.Close(); err != nil {
		return 0, err
	}
	took := before + time.Since(begin)
	return took, errors.Join(c.store.Compact(ctx, c.ref), layers.EmptyTrash(ctx, c.layout))
}

func change(folder string, files, changed, round int) error {
	for n := range min(changed, files) {
		path := filepath.Join(folder, fmt.Sprintf("dir-%03d", n/30), fmt.Sprintf("file-%05d.txt", n))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("change files: %w", err)
		}
		content := make([]byte, 4096)
		copy(content, fmt.Sprint(path, round))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("change files: %w", err)
		}
	}
	return nil
}

// way is how others give a process a cache to change.
type way struct {
	name  string
	aside []string // copies the folder "$0" to "$1"; nil means that it is changed in place
}

// copyAside is the usual way, and safe.
func copyAside() way { return way{"`cp -a` and a swap", []string{"cp", "-a"}} }

// linkAside is not safe: a file that is written in place changes in both.
func linkAside() way {
	return way{"`cp -al` and a swap, which is not safe against writes in place", []string{"cp", "-al"}}
}

// bindMount shares one folder: nothing is private, and what a crash leaves stays.
func bindMount() way { return way{"a bind mount of one shared folder, which keeps nothing apart", nil} }

// round makes the cache ready, changes files, which is not measured, and puts
// the changed cache in place.
func (w way) round(ctx context.Context, plain string, files int) (time.Duration, error) {
	if w.aside == nil {
		return (program{argv: []string{"unshare", "-Urm", "mount", "--bind", plain, plain}}).once(ctx)
	}
	aside, old := plain+".new", plain+".old"
	took, err := (program{argv: append(slices.Clone(w.aside), plain, aside)}).once(ctx)
	if err != nil {
		return 0, err
	}
	if err := change(aside, files, files/changedShare, 0); err != nil {
		return 0, err
	}
	swapped, err := (program{argv: []string{"sh", "-c", `mv "$0" "$1" && mv "$2" "$0" && rm -rf "$1"`, plain, old, aside}}).once(ctx)
	return took + swapped, err
}
