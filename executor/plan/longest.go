package plan

import (
	"slices"
	"time"
)

// Longest returns the nodes of the chain that took longest, each of which needs
// the one before it: however many had run at one time, the build could not have
// been faster than that. Nodes that were not begun count as nothing.
func (g *Graph) Longest(reports []Report) (chain []int, took time.Duration) {
	own, whole, before := make([]time.Duration, len(g.Nodes)), make([]time.Duration, len(g.Nodes)), make([]int, len(g.Nodes))
	for _, report := range reports {
		own[report.Node] = report.Duration
	}
	last := -1
	for _, i := range g.order {
		before[i] = -1
		for _, need := range g.Nodes[i].Needs {
			if before[i] < 0 || whole[need] > whole[before[i]] {
				before[i] = need
			}
		}
		if before[i] >= 0 {
			whole[i] = whole[before[i]]
		}
		whole[i] += own[i]
		if last < 0 || whole[i] > whole[last] {
			last = i
		}
	}
	if last < 0 {
		return nil, 0
	}
	took = whole[last]
	for ; last >= 0; last = before[last] {
		if own[last] > 0 {
			chain = append(chain, last)
		}
	}
	slices.Reverse(chain)
	return chain, took
}
