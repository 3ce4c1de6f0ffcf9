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

// shortly bounds the comparison of two trees for a line, which has room for one
// path; to count many would hold up the build.
func shortly() compare.Bounds { return compare.Bounds{Shown: 1, Counted: 100} }

// explain says after the line of an action that ran in which component its key
// differs from the one before; whatever other reason there is is in the line.
func (b *building) explain(report plan.Report) {
	if !b.options.explain || report.Missed.Reason == "" {
		return
	}
	before, differences := b.history.Differences(b.graph, report, b.look(explain.FewPaths()))
	if len(differences) == 0 {
		return
	}
	for _, line := range explain.Lines(before, report.Missed.Key.Digest.String(), differences) {
		b.display.say(plainly, "    %s", line)
	}
}

// noteUnkept writes down what an action was made of whose result was not kept: of
// others their results tell it.
func (b *building) noteUnkept(report plan.Report) {
	if report.Result.NotKept == "" || !b.policy.Write {
		return
	}
	why := b.shop.reasons(b.graph.Nodes[report.Node].Action)
	why.note(report.Missed)
	why.keep(report.Result)
}

// look is what the reasons of a build are found in.
func (b *building) look(bounds compare.Bounds) plan.Look {
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
			changes, _ := compare.Trees(context.Background(), past.Trees, before, after, bounds)
			return changes
		},
	}
}

// past is what is known of the actions of earlier runs. To look at it is no use
// of it.
func (w *workshop) past() explain.Past {
	return explain.Past{Kept: results.NewFiles(w.layout), Trees: cas.Unnoted{Store: w.blobs}}
}
