package mypyplan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Unit is what one action checks.
type Unit struct {
	Name string
	// Modules are places in [Graph.Modules], sorted.
	Modules []int
	// Needs are places in the list of units, of all that it needs directly or by
	// way of others, sorted.
	Needs []int
}

// Units cuts the modules into units, so that no two need each other and each
// cycle of imports is in one. A unit is a package with the packages in it, of no
// more than most modules where that is possible: a cycle or a package that is
// larger stays whole, packages that need each other and are few modules are one,
// and of others that do the lower parts are cut off the upper ones. Units as far
// up that are small are put together then: each process of mypy takes time for
// itself. An edit that changes no imports changes no unit.
func (g *Graph) Units(most int) []Unit {
	c := &cutter{graph: g, most: most, cycles: condense(g.edges())}
	c.prepare()
	all := make([]int, len(c.cycles))
	for i := range all {
		all[i] = i
	}
	c.cut(all)
	c.pack()
	return c.finish()
}

// cutter cuts a graph. Its nodes are cycles of modules, most of them of one.
type cutter struct {
	graph  *Graph
	most   int
	cycles [][]int  // modules of each
	needs  [][]int  // by cycle
	level  []int    // by cycle: the longest way down
	key    []string // by cycle: the package that it would like to be with
	groups [][]int  // cycles of each unit
	names  []string
}

func (c *cutter) prepare() {
	of := make([]int, len(c.graph.Modules))
	for i, cycle := range c.cycles {
		for _, module := range cycle {
			of[module] = i
		}
	}
	edges := c.graph.edges()
	keys := c.packages()
	c.needs, c.level, c.key = make([][]int, len(c.cycles)), make([]int, len(c.cycles)), make([]string, len(c.cycles))
	for i, cycle := range c.cycles {
		for _, module := range cycle {
			for _, other := range edges[module] {
				if of[other] != i {
					c.needs[i] = append(c.needs[i], of[other])
					c.level[i] = max(c.level[i], c.level[of[other]]+1)
				}
			}
		}
		c.key[i] = c.keyOf(cycle, keys)
	}
}

// keyOf is the package of all modules of a cycle, or a name of its own.
func (c *cutter) keyOf(cycle []int, keys []string) string {
	key := keys[cycle[0]]
	for _, module := range cycle {
		if keys[module] != key || len(cycle) > c.most {
			first := slices.MinFunc(cycle, func(a, b int) int { return strings.Compare(c.graph.Modules[a].ID, c.graph.Modules[b].ID) })
			return "cycle of " + c.graph.Modules[first].ID
		}
	}
	return key
}

// packages has for each module the largest package around it that has no more
// than most modules, or else its own.
func (c *cutter) packages() []string {
	count := map[string]int{}
	for i := range c.graph.Modules {
		for above := c.graph.Modules[i].folder(); ; above = parent(above) {
			count[above]++
			if above == "" {
				break
			}
		}
	}
	keys := make([]string, len(c.graph.Modules))
	for i := range c.graph.Modules {
		key := c.graph.Modules[i].folder()
		for key != "" && count[parent(key)] <= c.most {
			key = parent(key)
		}
		keys[i] = key
	}
	return keys
}

// folder is the package that a module is in; one that is a package is in itself.
func (m *Module) folder() string {
	name := m.Path[strings.LastIndex(m.Path, "/")+1:]
	if strings.HasPrefix(name, "__init__.") {
		return m.ID
	}
	return parent(m.ID)
}

func parent(id string) string { return id[:max(strings.LastIndex(id, "."), 0)] }

// cut makes units of some cycles of modules.
func (c *cutter) cut(cycles []int) {
	keys, members, edges := c.quotient(cycles)
	for _, circle := range condense(edges) {
		var together []int
		for _, key := range circle {
			together = append(together, members[key]...)
		}
		if len(circle) == 1 || c.modules(together) <= c.most {
			c.groups, c.names = append(c.groups, together), append(c.names, keys[slices.Min(circle)])
			continue
		}
		lower, upper := c.halves(together)
		c.cut(lower)
		c.cut(upper)
	}
}

// quotient is the graph of the keys of some cycles.
func (c *cutter) quotient(cycles []int) (keys []string, members, edges [][]int) {
	place, of := map[string]int{}, map[int]int{}
	for _, cycle := range cycles {
		key := c.key[cycle]
		at, known := place[key]
		if !known {
			at = len(keys)
			place[key], keys, members, edges = at, append(keys, key), append(members, nil), append(edges, nil)
		}
		members[at], of[cycle] = append(members[at], cycle), at
	}
	for _, cycle := range cycles {
		for _, other := range c.needs[cycle] {
			if to, here := of[other]; here && to != of[cycle] {
				edges[of[cycle]] = append(edges[of[cycle]], to)
			}
		}
	}
	return keys, members, edges
}

// halves cuts at the level in the middle. Nothing in the lower half needs
// anything in the upper one. There are two levels at least: keys in a circle need
// cycles of each other, and what needs another is above it.
func (c *cutter) halves(cycles []int) (lower, upper []int) {
	levels := make([]int, 0, len(cycles))
	for _, cycle := range cycles {
		levels = append(levels, c.level[cycle])
	}
	slices.Sort(levels)
	levels = slices.Compact(levels)
	middle := levels[len(levels)/2]
	for _, cycle := range cycles {
		if c.level[cycle] < middle {
			lower = append(lower, cycle)
		} else {
			upper = append(upper, cycle)
		}
	}
	return lower, upper
}

// pack puts small groups together that are as far up: none of them needs another,
// and what needs one of them is further up, so no circle comes of it.
func (c *cutter) pack() {
	of, level := make([]int, len(c.cycles)), make([]int, len(c.groups))
	for i, group := range c.groups {
		for _, cycle := range group {
			of[cycle] = i
		}
	}
	order := make([]int, len(c.groups))
	for i, group := range c.groups {
		order[i] = i
		for _, cycle := range group {
			for _, other := range c.needs[cycle] {
				if of[other] != i {
					level[i] = max(level[i], level[of[other]]+1)
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(level[a], level[b]), strings.Compare(c.names[a], c.names[b]))
	})
	groups, names := c.groups, c.names
	c.groups, c.names = nil, nil
	before := -1
	for _, i := range order {
		last := len(c.groups) - 1
		if before >= 0 && level[before] == level[i] && c.modules(c.groups[last])+c.modules(groups[i]) <= c.most {
			c.groups[last] = append(c.groups[last], groups[i]...)
		} else {
			c.groups, c.names = append(c.groups, groups[i]), append(c.names, names[i])
		}
		before = i
	}
}

// modules counts those of some cycles.
func (c *cutter) modules(cycles []int) (count int) {
	for _, cycle := range cycles {
		count += len(c.cycles[cycle])
	}
	return count
}

// finish makes units of groups, with names and needs.
func (c *cutter) finish() []Unit {
	units := make([]Unit, len(c.groups))
	of := make([]int, len(c.cycles))
	for i, group := range c.groups {
		for _, cycle := range group {
			of[cycle] = i
			units[i].Modules = append(units[i].Modules, c.cycles[cycle]...)
		}
		slices.Sort(units[i].Modules)
	}
	seen := map[string]int{}
	for i := range units {
		name := c.names[i]
		if name == "" {
			name = "the rest"
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s, part %d", name, seen[name])
		}
		units[i].Name = name
		units[i].Needs = c.closure(i, of, units)
	}
	return units
}

// closure is all that a unit needs. Units come after those that they need.
func (c *cutter) closure(unit int, of []int, units []Unit) []int {
	var needs []int
	for _, cycle := range c.groups[unit] {
		for _, other := range c.needs[cycle] {
			if to := of[other]; to != unit {
				needs = append(append(needs, to), units[to].Needs...)
			}
		}
		slices.Sort(needs)
		needs = slices.Compact(needs)
	}
	return needs
}

// Largest is the number of modules of the largest unit.
func Largest(units []Unit) int {
	most := 0
	for _, unit := range units {
		most = max(most, len(unit.Modules))
	}
	return most
}
