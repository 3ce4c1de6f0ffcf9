package plan

import "path/filepath"

// Wanted tells, by place in Nodes, whose outputs are what a build is for: those
// of the named actions, or of the targets of the plan, or when there are none of
// the actions that no other one needs. Names are those that [Graph.Targets] took.
func (g *Graph) Wanted(names ...string) []bool {
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

// HideOutputs keeps what actions make from being the inputs of others by way of
// the host: the outputs of all actions are no inputs of any with the same root,
// unless a pattern names them.
func (g *Graph) HideOutputs() {
	made := map[string][]string{} // by root
	for i := range g.Nodes {
		if a := g.Nodes[i].Action; a != nil {
			for _, output := range a.Outputs {
				made[a.Root] = append(made[a.Root], filepath.Join(a.Root, output.String()))
			}
		}
	}
	for i := range g.Nodes {
		if a := g.Nodes[i].Action; a != nil && len(a.Inputs) > 0 {
			a.NoInputs = made[a.Root]
		}
	}
}
