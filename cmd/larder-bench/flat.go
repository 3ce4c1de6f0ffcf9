package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"larder/caches/layers"
)

// flatRounds is how often each cache has its turn.
const flatRounds = 41

// flatPublish measures how checkout and publish grow, with the cache and with what
// was changed in it.
func flatPublish(ctx context.Context, b *bench) ([]row, error) {
	store := b.path("store-publish")
	if err := layers.RemoveTree(store); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	defer layers.RemoveTree(store) // what stays costs space only
	var rows []row
	for _, pair := range []struct {
		what         string
		small, large flatCase
	}{
		{"checkout and publish with 1 in 100 files changed, in a cache of 20,000 files against one of 1,000", flatCase{1000, 10}, flatCase{20000, 200}},
		{"the same, 100,000 files against 1,000", flatCase{1000, 10}, flatCase{100000, 1000}},
		{"the same with 200 changed files in both", flatCase{1000, 200}, flatCase{100000, 200}},
	} {
		one, few, err := flatness(ctx, b, pair.small, pair.large)
		if err != nil {
			return nil, err
		}
		one.what = pair.what
		rows = append(rows, one)
		if pair.large.changed > 20*pair.small.changed {
			least, err := looking(ctx, b, pair.large.changed)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{
				fmt.Sprintf("of that, a C program's looks at %d changed files and at what the cache has, on both processors, against what 1.3 times leaves", pair.large.changed),
				ms(least), ms(few * 3 / 10), fmt.Sprintf("%.1f times", float64(least)/float64(few*3/10)), "", true,
			})
		}
	}
	return rows, nil
}

// looking is the least that it takes to see what was changed.
func looking(ctx context.Context, b *bench, changed int) (time.Duration, error) {
	program, folder := b.path("look"), b.path("looked-at")
	if err := errors.Join(layers.RemoveTree(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return 0, fmt.Errorf("clear: %w", err)
	}
	defer layers.RemoveTree(folder) // what stays costs space only
	if err := compile(ctx, program, "look.c"); err != nil {
		return 0, err
	}
	return printed(exec.CommandContext(ctx, program, folder, strconv.Itoa(changed), strconv.Itoa(flatRounds)))
}

// flatCase is a cache of so many files of which each round changes so many.
type flatCase struct{ files, changed int }

// flatness takes turns in two caches, and also returns how long the first takes.
func flatness(ctx context.Context, b *bench, few, many flatCase) (row, time.Duration, error) {
	small, err := newCache(b, few.files)
	if err != nil {
		return row{}, 0, err
	}
	large, err := newCache(b, many.files)
	if err != nil {
		return row{}, 0, err
	}
	var left, right []time.Duration
	var ratios []float64
	for range flatRounds {
		one, err := small.round(ctx, few.changed)
		if err != nil {
			return row{}, 0, err
		}
		other, err := large.round(ctx, many.changed)
		if err != nil {
			return row{}, 0, err
		}
		left, right = append(left, one), append(right, other)
		ratios = append(ratios, float64(other)/float64(one))
	}
	ratio := median(ratios)
	return row{"", ms(median(right)), ms(median(left)), fmt.Sprintf("%.2f times", ratio), "flat (1.3 times)", ratio <= 1.3}, median(left), nil
}
