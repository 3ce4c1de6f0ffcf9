package mypyplan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// graphOf makes a graph of "name: dep dep" lines; a name that ends in "/" is a
// package.
func graphOf(lines ...string) *Graph {
	g := &Graph{Python: "3.12"}
	for _, line := range lines {
		name, deps, _ := strings.Cut(line, ":")
		id, isPackage := strings.CutSuffix(name, "/")
		path := strings.ReplaceAll(id, ".", "/") + ".py"
		if isPackage {
			path = strings.ReplaceAll(id, ".", "/") + "/__init__.py"
		}
		g.Modules = append(g.Modules, Module{ID: id, Path: path, Root: true, Deps: strings.Fields(deps)})
	}
	return g
}

// names lists the units as "name = module module".
func names(g *Graph, units []Unit) []string {
	var all []string
	for _, unit := range units {
		text := unit.Name + " ="
		for _, module := range unit.Modules {
			text += " " + g.Modules[module].ID
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestUnitsArePackagesCutWhereTheyNeedEachOther(t *testing.T) {
	for name, c := range map[string]struct {
		graph *Graph
		most  int
		want  []string
	}{
		"a small tree is one unit": {graphOf("p/:", "p.a: p", "p.b: p.a"), 9, []string{"the rest = p p.a p.b"}},
		"packages":                 {graphOf("p.a:", "p.b:", "q.a: p.a", "q.b:"), 2, []string{"p = p.a p.b", "q = q.a q.b"}},
		"small ones join":          {graphOf("p.x.a:", "p.y.a:", "q.a:", "q.b:"), 2, []string{"p = p.x.a p.y.a", "q = q.a q.b"}},
		"a cycle stays whole": {
			graphOf("p.a: q.a", "p.b:", "p.c:", "q.a: p.a", "q.b:", "q.c: q.b"), 3,
			[]string{"cycle of p.a = p.a q.a", "p = p.b p.c", "q = q.b q.c"},
		},
		"packages in a circle without a cycle are cut": {
			graphOf("p.a: q.b", "p.b:", "p.c:", "q.a: p.b", "q.b:", "q.c:"), 3,
			[]string{"p = p.b p.c", "p, part 2 = p.a q.a", "q = q.b q.c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := names(c.graph, c.graph.Units(c.most)); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// drawGraph makes a graph in a few packages.
func drawGraph(t *rapid.T) *Graph {
	var lines []string
	count := rapid.IntRange(1, 30).Draw(t, "modules")
	id := func(i int) string { return fmt.Sprintf("p%d.q%d.m%d", i%3, i%5, i) }
	for i := range count {
		line := id(i) + ":"
		for _, other := range rapid.SliceOfN(rapid.IntRange(0, count-1), 0, 4).Draw(t, "deps") {
			if other != i {
				line += " " + id(other)
			}
		}
		lines = append(lines, line)
	}
	return graphOf(lines...)
}

func TestEveryModuleIsInOneUnitAndNoTwoUnitsNeedEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		units := g.Units(rapid.IntRange(1, 12).Draw(t, "most"))
		of, places := map[int]int{}, g.places()
		seen := map[string]bool{}
		for i, unit := range units {
			if seen[unit.Name] || len(unit.Modules) == 0 {
				t.Fatalf("unit %q is there twice, or empty", unit.Name)
			}
			seen[unit.Name] = true
			for _, module := range unit.Modules {
				if _, twice := of[module]; twice {
					t.Fatalf("%s is in two units", g.Modules[module].ID)
				}
				of[module] = i
			}
		}
		if len(of) != len(g.Modules) {
			t.Fatalf("%d of %d modules are in units", len(of), len(g.Modules))
		}
		for i := range g.Modules {
			for _, dep := range g.Modules[i].Deps {
				if to := of[places[dep]]; to != of[i] && !slices.Contains(units[of[i]].Needs, to) {
					t.Fatalf("%s needs %s, and unit %q does not need %q", g.Modules[i].ID, dep, units[of[i]].Name, units[to].Name)
				}
			}
		}
		for i, unit := range units {
			for _, need := range unit.Needs {
				if need >= i {
					t.Fatalf("unit %q needs %q, which comes after it", unit.Name, units[need].Name)
				}
				for _, further := range units[need].Needs {
					if !slices.Contains(unit.Needs, further) {
						t.Fatalf("unit %q lacks what %q needs", unit.Name, units[need].Name)
					}
				}
			}
		}
	})
}

func TestCondenseFindsWhatReachesEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges := drawGraph(t).edges()
		reach := func(from int) map[int]bool {
			seen, todo := map[int]bool{from: true}, []int{from}
			for len(todo) > 0 {
				next := todo[0]
				todo = todo[1:]
				for _, other := range edges[next] {
					if !seen[other] {
						seen[other] = true
						todo = append(todo, other)
					}
				}
			}
			return seen
		}
		of, order := map[int]int{}, condense(edges)
		for i, component := range order {
			for _, node := range component {
				of[node] = i
			}
		}
		for a := range edges {
			from := reach(a)
			for b := range edges {
				if together := from[b] && reach(b)[a]; together != (of[a] == of[b]) {
					t.Fatalf("%d and %d: reach each other is %v, and the components are %v", a, b, together, order)
				}
				if from[b] && of[b] > of[a] {
					t.Fatalf("%d is needed by %d and comes later: %v", b, a, order)
				}
			}
		}
	})
}
