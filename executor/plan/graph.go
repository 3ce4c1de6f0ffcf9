package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"larder/digest"
	"larder/executor/action"
	"larder/executor/action/form"
)

// Graph is a plan that is known to be good.
type Graph struct {
	// Nodes are the actions in the order of the plan.
	Nodes []Node

	targets []string
	byName  map[string]int
	order   []int // producers before those who need them
}

// Node is one action of a graph.
type Node struct {
	// Plan is the action as it was written.
	Plan *Action
	// Action is what to run, or nil when there is nothing to run.
	Action *action.Action
	// Needs has the producers, by their places in Nodes, ascending, each once.
	Needs []int
	// Policies is Merge, checked.
	Policies []digest.PathPolicy
	// CPUs and Memory, in bytes, are Uses; memory is 0 when it is not known.
	CPUs   float64
	Memory int64

	producers []int // by source, or -1 for a tree of the store
}

// Graph checks the plan as a whole. Relative paths of the host are relative to
// base, an absolute directory. What is wrong comes as [Problems], all of it.
func (p *Plan) Graph(base string) (*Graph, error) {
	graph := &Graph{Nodes: make([]Node, 0, len(p.Actions)), targets: p.Targets, byName: make(map[string]int, len(p.Actions))}
	c := &checker{plan: p, graph: graph}
	switch p.Schema {
	case Version:
	case 0:
		c.wrong([]any{"schema"}, "the plan does not say which schema it has; write \"schema\": %d", Version)
	default:
		c.wrong([]any{"schema"}, "the schema of the plan is %d; this version of larder reads %d", p.Schema, Version)
	}
	if len(p.Actions) == 0 {
		c.wrong([]any{"actions"}, "the plan has no actions")
	}
	for i := range p.Actions {
		c.name(i)
	}
	for i := range p.Actions {
		c.node(i, base)
	}
	for i, target := range p.Targets {
		if _, found := c.graph.byName[target]; !found {
			c.wrong([]any{"targets", i}, "there is no action %q", target)
		}
	}
	c.sort()
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.graph, nil
}

// Targets returns the places in Nodes of all that it takes to make the named
// actions, or those that the plan has for targets when none is named: producers
// before those who need them, in an order that depends on the plan alone.
func (g *Graph) Targets(names ...string) ([]int, error) {
	if len(names) == 0 {
		names = g.targets
	}
	if len(names) == 0 {
		return slices.Clone(g.order), nil
	}
	wanted := make([]bool, len(g.Nodes))
	for _, name := range names {
		i, found := g.byName[name]
		if !found {
			return nil, fmt.Errorf("%w: there is no action %q", ErrPlan, name)
		}
		wanted[i] = true
	}
	for _, i := range slices.Backward(g.order) {
		for _, need := range g.Nodes[i].Needs {
			wanted[need] = wanted[need] || wanted[i]
		}
	}
	var order []int
	for _, i := range g.order {
		if wanted[i] {
			order = append(order, i)
		}
	}
	return order, nil
}

// checker gathers what is wrong with a plan.
type checker struct {
	plan  *Plan
	graph *Graph
	found []finding
}

// finding is a problem at a path of members and indexes.
type finding struct {
	path []any
	err  error
}

func (c *checker) wrong(path []any, format string, args ...any) {
	c.found = append(c.found, finding{path, fmt.Errorf(format, args...)})
}

// err finds where each problem is in the text, or next to: a member that is
// missing is where its object begins.
func (c *checker) err() error {
	if len(c.found) == 0 {
		return nil
	}
	wrong := findings{text: c.plan.text}
	known := form.Places(c.plan.text)
	for _, one := range c.found {
		path := one.path
		offset, found := known[form.Show(path...)]
		for !found && len(path) > 0 {
			path = path[:len(path)-1]
			offset, found = known[form.Show(path...)]
		}
		if !found {
			offset = -1
		}
		wrong.at(offset, "%w", one.err)
	}
	return wrong.err()
}

// name checks the name of an action.
func (c *checker) name(i int) {
	name := c.plan.Actions[i].Name
	path := []any{"actions", i, "name"}
	first, taken := c.graph.byName[name]
	switch {
	case name == "":
		c.wrong(path, "the action has no name")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		c.wrong(path, "the name %q has characters that do not print", name)
	case taken:
		c.wrong(path, "there are two actions called %q; actions[%d] is the first", name, first)
	default:
		c.graph.byName[name] = i
	}
}

// node checks one action by itself, and finds its producers.
func (c *checker) node(i int, base string) {
	one := &c.plan.Actions[i]
	node := Node{Plan: one, CPUs: max(one.Uses.CPUs, 0)}
	if node.CPUs == 0 {
		node.CPUs = 1
	}
	path := []any{"actions", i}
	c.request(path, &node, base)
	for k := range one.From {
		c.source(append(slices.Clone(path), "from", k), &node, &one.From[k])
	}
	slices.Sort(node.Needs)
	node.Needs = slices.Compact(node.Needs)
	c.policies(append(slices.Clone(path), "merge"), &node)
	c.uses(append(slices.Clone(path), "uses"), &node)
	c.graph.Nodes = append(c.graph.Nodes, node)
}

// request checks what to run.
func (c *checker) request(path []any, node *Node, base string) {
	one := node.Plan
	if len(one.Argv) > 0 {
		checked, err := one.Validate(base)
		members := blame(one.Spec, base, err)
		for i, err := range split(err) {
			c.wrong(append(slices.Clone(path), members[i]...), "action %q: %w", one.Name, err)
		}
		node.Action = checked
		c.inputs(append(slices.Clone(path), "inputs"), node)
		return
	}
	if len(one.From) == 0 {
		c.wrong(path, "action %q has neither argv nor from: it would make nothing", one.Name)
	} else if !isEmpty(one.Spec) {
		c.wrong(path, "action %q has no argv, so it only merges what from names; give it an argv, or leave out all but name, from and merge", one.Name)
	}
}

// inputs checks the form of patterns; what they select is found when the action is
// begun.
func (c *checker) inputs(path []any, node *Node) {
	if digest.CheckPatterns(node.Plan.Inputs) == nil {
		return
	}
	for i := range node.Plan.Inputs {
		if err := digest.CheckPatterns(node.Plan.Inputs[i : i+1]); err != nil {
			c.wrong(append(slices.Clone(path), i), "action %q: %w", node.Plan.Name, err)
		}
	}
}

// clean is a path that was checked, as trees have it.
func clean(what, text string) string {
	path, err := action.ParsePath(what, text)
	if err != nil {
		return text // which then is refused where it is used
	}
	return path.String()
}

// split returns the errors that were joined into one.
func split(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

// source checks one tree that an action works on.
func (c *checker) source(path []any, node *Node, from *Source) {
	at := func(member string) []any { return append(slices.Clone(path), member) }
	producer, found := c.graph.byName[from.Action]
	switch {
	case (from.Action == "") == (from.Tree == ""):
		c.wrong(path, "a source names either an action or a tree")
	case from.Tree != "":
		producer = -1
		if _, err := digest.Parse(digest.BLAKE3, from.Tree); err != nil {
			c.wrong(at("tree"), "%w", err)
		}
	case !found:
		c.wrong(at("action"), "action %q needs %q, and there is no such action", node.Plan.Name, from.Action)
	default:
		node.Needs = append(node.Needs, producer)
	}
	node.producers = append(node.producers, producer)
	if err := digest.CheckPatterns(from.Subset); err != nil {
		c.wrong(at("subset"), "%w", err)
	}
	for member, text := range map[string]string{"strip": from.Strip, "prefix": from.Prefix} {
		if text == "" {
			continue
		}
		if _, err := action.ParsePath(member, text); err != nil {
			c.wrong(at(member), "%w", err)
		}
	}
}

func (c *checker) policies(path []any, node *Node) {
	for i, one := range node.Plan.Merge {
		policy, err := digest.ParsePolicy(one.Policy)
		checked := digest.PathPolicy{Pattern: one.Pattern, Policy: policy}
		if err == nil {
			err = digest.CheckPolicies([]digest.PathPolicy{checked})
		}
		if err != nil {
			c.wrong(append(slices.Clone(path), i), "%w", err)
		}
		node.Policies = append(node.Policies, checked)
	}
}

func (c *checker) uses(path []any, node *Node) {
	uses := node.Plan.Uses
	if uses.CPUs < 0 {
		c.wrong(append(slices.Clone(path), "cpus"), "an action cannot use %v processors", uses.CPUs)
	}
	if uses.Memory == "" {
		return
	}
	var err error
	if node.Memory, err = action.ParseSize(uses.Memory); err != nil {
		c.wrong(append(slices.Clone(path), "memory"), "%w", err)
	}
}
