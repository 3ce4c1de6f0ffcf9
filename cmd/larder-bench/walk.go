package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/named"
)

// walkScript prints how many nanoseconds a walk of the folder m takes that
// looks at every file.
const walkScript = `a=$(date +%s%N); find m -printf '%s %T@\n' >/dev/null; b=$(date +%s%N); echo $((b-a))`

// walkInSteadyState measures a walk of a cache of 20,000 files, as a process in
// the sandbox sees it after many publishes, against one of a plain folder.
func walkInSteadyState(ctx context.Context, b *bench) ([]row, error) {
	const files, publishes = 20000, 40
	cache, err := newCache(b, files)
	if err != nil {
		return nil, err
	}
	defer layers.RemoveTree(b.path("store-publish")) // what stays costs space only
	for range publishes {
		if _, err := cache.round(ctx, files/changedShare); err != nil {
			return nil, err
		}
	}
	plain := b.path("walk")
	if err := makeFiles(filepath.Join(plain, "m"), files); err != nil {
		return nil, err
	}
	var left, right []time.Duration
	var ratios []float64
	for range 11 {
		ours, err := walked(ctx, plain, []string{"LARDER_STORE=" + b.path("store-publish")},
			b.larder, "run", "--results", "off", "--mutable", "bench=m,publish=never,scope=global,key="+cache.ref.Key, "--", "sh", "-c", walkScript)
		if err != nil {
			return nil, err
		}
		peer, err := walked(ctx, plain, nil, "sh", "-c", walkScript)
		if err != nil {
			return nil, err
		}
		left, right = append(left, ours), append(right, peer)
		ratios = append(ratios, float64(ours)/float64(peer))
	}
	depth, err := cache.depth()
	ratio := median(ratios)
	return []row{{fmt.Sprintf("walk of a cache of %d files after %d publishes (%d layers), against a plain folder", files, publishes, depth),
		ms(median(left)), ms(median(right)), fmt.Sprintf("%.2f times", ratio), "3.5 times", ratio <= 3.5}}, err
}

// walked runs a command that prints how long its walk took.
func walked(ctx context.Context, dir string, env []string, argv ...string) (time.Duration, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir, command.Env, command.Stderr = dir, append(os.Environ(), env...), os.Stderr
	output, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("%v: %w", argv, err)
	}
	took, err := strconv.ParseInt(strings.TrimSpace(string(output)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%v: expected a number: %w", argv, err)
	}
	return time.Duration(took), nil
}

func (c *cacheUnderTest) depth() (int, error) {
	inspection, err := c.store.Inspect(c.ref)
	return inspection.Layers, err
}

// listOfCaches measures `cache list` over 1,000 caches, as a whole process.
func listOfCaches(ctx context.Context, b *bench) ([]row, error) {
	const count, files = 1000, 3
	store := b.path("store-list")
	if err := layers.RemoveTree(store); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	defer layers.RemoveTree(store) // what stays costs space only
	layout, err := caches.OpenLayout(store)
	if err != nil {
		return nil, err
	}
	plain := b.path("cache-few")
	if err := makeFiles(plain, files); err != nil {
		return nil, err
	}
	for n := range count {
		name, err := caches.ParseName(fmt.Sprintf("cache-%d", n))
		if err != nil {
			return nil, err
		}
		one := &cacheUnderTest{layout: layout, store: named.Open(layout, nil),
			ref: caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.GlobalScope()}, files: files}
		if err := one.fill(plain); err != nil {
			return nil, err
		}
	}
	list := program{argv: []string{b.larder, "cache", "list"}, dir: b.dir, env: []string{"LARDER_STORE=" + store}}
	ours, _, _, err := pair(ctx, list, list, 11)
	return []row{{fmt.Sprintf("`cache list` of %d caches, whole process", count), ms(ours), "", ms(ours), "50 ms", ours <= 50*time.Millisecond}}, err
}
