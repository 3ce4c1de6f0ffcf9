package plan

import (
	"reflect"
	"slices"
	"strings"

	"larder/executor/action"
)

// isEmpty reports whether nothing at all is asked for.
func isEmpty(spec action.Spec) bool { return reflect.ValueOf(spec).IsZero() }

// sort orders the nodes, and finds the cycles. Both come from the strongly
// connected components of the graph, by Tarjan's algorithm (Depth-first search
// and linear graph algorithms, 1972): a component is complete after all that it
// needs, and one of several nodes is where a cycle is.
func (c *checker) sort() {
	n := len(c.graph.Nodes)
	t := &components{nodes: c.graph.Nodes, index: make([]int, n), low: make([]int, n), open: make([]bool, n)}
	for i := range c.graph.Nodes {
		if t.index[i] == 0 {
			t.visit(i)
		}
	}
	for _, component := range t.found {
		c.graph.order = append(c.graph.order, component...)
		first := slices.Min(component)
		if len(component) > 1 || slices.Contains(c.graph.Nodes[first].Needs, first) {
			c.cycle(first, component)
		}
	}
}

// components is Tarjan's algorithm under way.
type components struct {
	nodes      []Node
	count      int
	index, low []int // index is 0 for what was not visited
	open       []bool
	stack      []int
	found      [][]int
}

func (t *components) visit(i int) {
	t.count++
	t.index[i], t.low[i] = t.count, t.count
	t.stack, t.open[i] = append(t.stack, i), true
	for _, need := range t.nodes[i].Needs {
		if t.index[need] == 0 {
			t.visit(need)
			t.low[i] = min(t.low[i], t.low[need])
		} else if t.open[need] {
			t.low[i] = min(t.low[i], t.index[need])
		}
	}
	if t.low[i] != t.index[i] {
		return
	}
	at := len(t.stack) - 1
	for t.stack[at] != i {
		at--
	}
	component := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, one := range component {
		t.open[one] = false
	}
	t.found = append(t.found, component)
}

// cycle reports the shortest cycle through a node of a component.
func (c *checker) cycle(first int, component []int) {
	inside := map[int]bool{}
	for _, i := range component {
		inside[i] = true
	}
	cameFrom := map[int]int{}
	todo := []int{first}
	for len(todo) > 0 {
		here := todo[0]
		todo = todo[1:]
		for _, need := range c.graph.Nodes[here].Needs {
			if _, seen := cameFrom[need]; !seen && inside[need] {
				cameFrom[need] = here
				todo = append(todo, need)
			}
		}
	}
	names := []string{c.plan.Actions[first].Name}
	for at := cameFrom[first]; at != first; at = cameFrom[at] {
		names = append(names, c.plan.Actions[at].Name)
	}
	names = append(names, names[0])
	slices.Reverse(names)
	c.wrong([]any{"actions", first, "from"}, "actions need each other in a circle: %s", strings.Join(names, " needs "))
}
