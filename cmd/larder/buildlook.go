package main

import (
	"context"

	"larder/caches/cas"
	"larder/caches/results"
	"larder/digest"
	"larder/executor/action/compare"
	"larder/executor/explain"
	"larder/executor/plan"
)

// look is what the reasons of a build are found in.
func (b *building) look() plan.Look {
	past := b.shop.past()
	return plan.Look{
		Output: b.output,
		Action: func(text string) (compare.Action, bool) {
			key, err := digest.Parse(b.shop.blobs.Function(), text)
			if err != nil {
				return compare.Action{}, false
			}
			found, err := past.Action(key)
			return found, err == nil
		},
		Trees: func(before, after digest.Digest) *compare.TreeChanges {
			// A line has room for one path; to count many would hold up the build.
			changes, _ := compare.Trees(context.Background(), past.Trees, before, after, compare.Bounds{Shown: 1, Counted: 100})
			return changes
		},
	}
}

// past is what is known of the actions of earlier runs. To look at it is no use
// of it.
func (w *workshop) past() explain.Past {
	return explain.Past{Kept: results.NewFiles(w.layout), Trees: cas.Unnoted{Store: w.blobs}}
}
