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
	_, differences := h.Differences(g, report, look)
	if len(differences) > 0 && differences[0].Component != compare.Inputs {
		return differences[0].Short()
	}
	if past.Inputs == report.Result.InputDigest {
		return "its command, its tools or the host changed"
	}
	inputs := compare.Difference{Component: compare.Inputs}
	if len(differences) > 0 {
		inputs = differences[0]
	}
	return h.changedInputs(g, report.Node, look, inputs)
}

// Differences lists the components in which the key of an action that ran differs
// from the key before, which it returns too. There are none when either is not
// known any more.
func (h History) Differences(g *Graph, report Report, look Look) (past string, differences []compare.Difference) {
	known, key := h[g.Nodes[report.Node].Plan.Name], report.Missed.Key
	if known.Key == "" || key.Digest.IsZero() {
		return "", nil
	}
	before, found := look.Action(known.Key)
	if known.Action != nil {
		decoded, err := compare.Decode(key.Digest.Function(), known.Action, known.Command)
		before, found = decoded, err == nil
	}
	message, command := key.Kept()
	after, err := compare.Decode(key.Digest.Function(), message, command)
	if !found || err != nil {
		return known.Key, nil
	}
	differences = compare.Actions(before, after)
	for i := range differences {
		if differences[i].Component == compare.Inputs && look.Trees != nil {
			differences[i].Trees = look.Trees(before.Input, after.Input)
		}
	}
	return known.Key, differences
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
