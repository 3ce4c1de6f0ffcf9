package mypyplan

// condense returns the strongly connected components of a graph, which is given
// as the nodes that each node points to. A component comes after all that it
// points to. The order is that of Tarjan's algorithm (Depth-first search and
// linear graph algorithms, 1972) from the first node on.
func condense(edges [][]int) [][]int {
	w := &walk{edges: edges, number: make([]int, len(edges)), low: make([]int, len(edges)), open: make([]bool, len(edges))}
	for node := range edges {
		if w.number[node] == 0 {
			w.visit(node)
		}
	}
	return w.components
}

// walk is a depth-first search under way.
type walk struct {
	edges       [][]int
	number, low []int // by node; 0 is not seen
	open        []bool
	stack       []int
	seen        int
	components  [][]int
}

func (w *walk) visit(node int) {
	w.seen++
	w.number[node], w.low[node] = w.seen, w.seen
	w.stack, w.open[node] = append(w.stack, node), true
	for _, next := range w.edges[node] {
		if w.number[next] == 0 {
			w.visit(next)
			w.low[node] = min(w.low[node], w.low[next])
		} else if w.open[next] {
			w.low[node] = min(w.low[node], w.number[next])
		}
	}
	if w.low[node] == w.number[node] {
		w.close(node)
	}
}

// close takes the component of node off the stack.
func (w *walk) close(node int) {
	from := len(w.stack) - 1
	for w.stack[from] != node {
		from--
	}
	component := append([]int(nil), w.stack[from:]...)
	for _, member := range component {
		w.open[member] = false
	}
	w.stack = w.stack[:from]
	w.components = append(w.components, component)
}
