package plan

import (
	"fmt"
	"strings"

	"larder/caches/results"
	"larder/digest"
	"larder/executor/action/compare"
)

// Look is what [History.Why] looks at besides the history.
type Look struct {
	// Output gives the text of the digest of what a node has made now.
	Output func(i int) string
	// Action gives the action of a key whose result is kept; false when none is.
	Action func(key string) (compare.Action, bool)
	// Trees compares two input trees; nil says that it cannot.
	Trees func(before, after digest.Digest) *compare.TreeChanges
}

// Why says in a few words why the action of a report ran, from what it had the
// last time: that it is new, why its kept result was not used, or the first
// component of its key that differs.
func (h History) Why(g *Graph, report Report, look Look) string {
	past, known := h[g.Nodes[report.Node].Plan.Name]
	reason, key := report.Missed.Reason, report.Missed.Key
	switch {
	case reason == results.NotAsked, reason == results.NotRead:
		return report.Missed.Short()
	case !known || past.Key == "":
		return "the first time"
	case key.Digest.IsZero():
		return "its key is not known"
	case past.Key == key.Digest.String() && reason == results.Absent && past.NotKept != "":
		return past.NotKept + " the last time"
	case past.Key == key.Digest.String():
		return report.Missed.Short()
	}
	before, found := look.Action(past.Key)
	if past.Action != nil {
		decoded, err := compare.Decode(key.Digest.Function(), past.Action, past.Command)
		before, found = decoded, err == nil
	}
	message, command := key.Kept()
	after, err := compare.Decode(key.Digest.Function(), message, command)
	if differences := compare.Actions(before, after); found && err == nil && len(differences) > 0 && differences[0].Component != compare.Inputs {
		return differences[0].Short()
	}
	if past.Inputs == report.Result.InputDigest {
		return "its command, its tools or the host changed"
	}
	return h.changedInputs(g, report.Node, look, compare.Difference{Component: compare.Inputs, Trees: h.trees(before, after, look)})
}

func (h History) trees(before, after compare.Action, look Look) *compare.TreeChanges {
	if look.Trees == nil || before.Input.IsZero() || after.Input.IsZero() {
		return nil
	}
	return look.Trees(before.Input, after.Input)
}

// changedInputs names what of the plan made other outputs than the last time, or
// else what changed of the files on the host.
func (h History) changedInputs(g *Graph, i int, look Look, inputs compare.Difference) string {
	var changed []string
	for _, need := range g.Nodes[i].Needs {
		name := g.Nodes[need].Plan.Name
		if h[name].Output != look.Output(need) {
			changed = append(changed, name)
		}
	}
	const most = 3
	switch {
	case len(changed) == 0:
		return inputs.Short()
	case len(changed) > most:
		return fmt.Sprintf("what %s and %d more make changed", strings.Join(changed[:most], ", "), len(changed)-most)
	}
	return "what " + strings.Join(changed, ", ") + " makes changed"
}
