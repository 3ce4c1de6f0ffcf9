package mypyplan

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
)

// Part is the program in Python that the actions of a plan run.
//
//go:embed part.py
var Part string

// ErrGraph marks what is no graph of modules.
var ErrGraph = errors.New("no graph of modules")

// Graph is what is to be checked and what imports what, as the helper writes it.
type Graph struct {
	// Python is the version that is checked for, such as 3.12.
	Python string `json:"python"`
	// Config is the configuration file of mypy, below the root, or empty.
	Config string `json:"config"`
	// Whole says why only one action for everything is sound here, or is empty.
	Whole string `json:"whole"`
	// Modules are in the order in which mypy lists them; those that were named
	// come first, those that were only found by imports follow.
	Modules []Module `json:"modules"`
	// External are the modules outside of the root that are imported, sorted.
	External []string `json:"external"`
}

// Module is one file of the tree.
type Module struct {
	ID   string `json:"id"`
	Path string `json:"path"` // below the root
	Base string `json:"base"` // where mypy looks for the packages that it is in
	Root bool   `json:"root"` // it was named, and not only found by imports
	// Deps are the modules of the tree that mypy may look into to check this one;
	// Parents the packages around it that are modules of the tree.
	Deps    []string `json:"deps"`
	Parents []string `json:"parents"`
	// Folders are packages without a file of their own that it imports.
	Folders []string `json:"folders"`
	// Absent are modules that are not there but imported, by this one or others,
	// which names in it may stand for.
	Absent []string `json:"absent"`
}

// Read reads a graph and checks that all that it names is there.
func Read(data []byte) (*Graph, error) {
	g := new(Graph)
	if err := json.Unmarshal(data, g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGraph, err)
	}
	known := map[string]bool{}
	for _, module := range g.Modules {
		if known[module.ID] || module.ID == "" || module.Path == "" {
			return nil, fmt.Errorf("%w: module %q occurs twice or lacks its path", ErrGraph, module.ID)
		}
		known[module.ID] = true
	}
	for _, module := range g.Modules {
		for _, list := range [][]string{module.Deps, module.Parents} {
			for _, other := range list {
				if !known[other] {
					return nil, fmt.Errorf("%w: %s needs %s, which is not there", ErrGraph, module.ID, other)
				}
			}
		}
	}
	return g, nil
}

// edges has for each module the places of those that it needs.
func (g *Graph) edges() [][]int {
	places := g.places()
	all := make([][]int, len(g.Modules))
	for i := range g.Modules {
		for _, other := range g.Modules[i].Deps {
			all[i] = append(all[i], places[other])
		}
	}
	return all
}

func (g *Graph) places() map[string]int {
	places := make(map[string]int, len(g.Modules))
	for i := range g.Modules {
		places[g.Modules[i].ID] = i
	}
	return places
}

// moduleSet holds modules by their places in the list of a graph.
type moduleSet map[int]bool

// closure is all that some modules need, directly or not, and they themselves.
func (g *Graph) closure(modules []int) moduleSet {
	edges, seen := g.edges(), moduleSet{}
	todo := modules
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[: len(todo)-1 : len(todo)-1]
		if !seen[next] {
			seen[next] = true
			todo = append(todo, edges[next]...)
		}
	}
	return seen
}
