package main

import (
	"context"
	"fmt"
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
		one, err := flatness(ctx, b, pair.small, pair.large)
		if err != nil {
			return nil, err
		}
		one.what = pair.what
		rows = append(rows, one)
	}
	return rows, nil
}

// flatCase is a cache of so many files of which each round changes so many.
type flatCase struct{ files, changed int }

// flatness takes turns in two caches.
func flatness(ctx context.Context, b *bench, few, many flatCase) (row, error) {
	small, err := newCache(b, few.files)
	if err != nil {
		return row{}, err
	}
	large, err := newCache(b, many.files)
	if err != nil {
		return row{}, err
	}
	var left, right []time.Duration
	var ratios []float64
	for range flatRounds {
		one, err := small.round(ctx, few.changed)
		if err != nil {
			return row{}, err
		}
		other, err := large.round(ctx, many.changed)
		if err != nil {
			return row{}, err
		}
		left, right = append(left, one), append(right, other)
		ratios = append(ratios, float64(other)/float64(one))
	}
	ratio := median(ratios)
	return row{"", ms(median(right)), ms(median(left)), fmt.Sprintf("%.2f times", ratio), "flat (1.3 times)", ratio <= 1.3}, nil
}
