package plan

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Wanted says of each node of a graph, by its index, whether its outputs are
// handed over.
type Wanted []bool

// Wanted tells, by place in Nodes, whose outputs are what a build is for: those
// of the named actions, or of the targets of the plan, or when there are none of
// the actions that no other one needs. Names are those that [Graph.Targets] took.
func (g *Graph) Wanted(names ...string) Wanted {
	wanted := make([]bool, len(g.Nodes))
	if len(names) == 0 {
		names = g.targets
	}
	if len(names) == 0 {
		for i := range wanted {
			wanted[i] = true
		}
		for i := range g.Nodes {
			for _, need := range g.Nodes[i].Needs {
				wanted[need] = false
			}
		}
	}
	for _, name := range names {
		if i, found := g.byName[name]; found {
			wanted[i] = true
		}
	}
	return wanted
}

// Clash says which of the wanted actions hand over the same path, or one inside
// the other: the last to end would win. to is the one place for all outputs, or
// empty when each has its root.
func (g *Graph) Clash(wanted Wanted, to string) error {
	type claim struct {
		place string
		node  int
	}
	var claims []claim
	for i := range g.Nodes {
		a := g.Nodes[i].Action
		if a == nil || !wanted[i] {
			continue
		}
		for _, output := range a.Outputs {
			claims = append(claims, claim{filepath.Join(cmp.Or(to, a.Root), output.String()) + "/", i})
		}
	}
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.place, b.place) })
	for k := 1; k < len(claims); k++ {
		one, other := claims[k-1], claims[k]
		if strings.HasPrefix(other.place, one.place) {
			return fmt.Errorf("%w: %q and %q both hand over %s; give them other outputs, or merge them in an action of its own that is the target",
				ErrPlan, g.Nodes[one.node].Plan.Name, g.Nodes[other.node].Plan.Name, strings.TrimSuffix(other.place, "/"))
		}
	}
	return nil
}

// HideOutputs keeps what actions make from being the inputs of others by way of
// the host: the outputs of all actions are no inputs of any with the same root,
// unless a pattern names them. Neither are the other files, absolute host paths.
func (g *Graph) HideOutputs(others ...string) {
	made := map[string][]string{} // by root
	for i := range g.Nodes {
		if a := g.Nodes[i].Action; a != nil {
			for _, output := range a.Outputs {
				made[a.Root] = append(made[a.Root], output.String())
			}
		}
	}
	for root := range made {
		slices.Sort(made[root])
		made[root] = slices.Compact(made[root])
	}
	for i := range g.Nodes {
		a := g.Nodes[i].Action
		if a == nil || len(a.Inputs) == 0 {
			continue
		}
		a.NoInputs = slices.Clone(others)
		for _, output := range near(made[a.Root], a.Inputs) {
			a.NoInputs = append(a.NoInputs, filepath.Join(a.Root, output))
		}
	}
}

// near returns, of sorted paths, those that are on the way to what patterns find,
// or below: a large plan has too many to go through all of them for each action.
func near(paths, patterns []string) []string {
	var found []string
	for _, pattern := range patterns {
		folder := folderOf(pattern)
		if folder == "" {
			return paths
		}
		for above := folder; above != "."; above = path.Dir(above) {
			if _, isOne := slices.BinarySearch(paths, above); isOne {
				found = append(found, above)
			}
		}
		from, _ := slices.BinarySearch(paths, folder+"/")
		for _, one := range paths[from:] {
			if !strings.HasPrefix(one, folder+"/") {
				break
			}
			found = append(found, one)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// folderOf returns a path at which, or below which, is all that an input pattern
// can find, or "" when that may be anywhere.
func folderOf(pattern string) string {
	text := strings.TrimPrefix(pattern, "!")
	if strings.HasPrefix(text, "./") {
		text = text[1:]
	}
	if !strings.Contains(strings.TrimSuffix(text, "/"), "/") {
		return "" // a name, at any level
	}
	if wild := strings.IndexAny(text, `*?[\`); wild >= 0 {
		text = text[:wild]
		text = text[:strings.LastIndex(text, "/")+1]
	}
	return strings.Trim(text, "/ ")
}
