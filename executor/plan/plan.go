package plan

import "larder/executor/action"

// Version is the schema of the plans that this package reads.
const Version = 1

// Plan is a graph of actions as a user writes it. Of one that [Parse] made, it is
// remembered where each part stands in the text.
type Plan struct {
	Schema  int      `json:"schema"`
	Actions []Action `json:"actions"`
	// Targets are the names of the actions that are wanted when nobody says
	// which; none stands for all.
	Targets []string `json:"targets,omitempty"`

	text []byte
}

// Action is one node of the graph.
type Action struct {
	// Name is how others, and users, speak of it.
	Name string `json:"name"`
	// Spec is what to run. Without an argv there is nothing to run: the output
	// is what the sources merge to, and Spec has to be empty.
	action.Spec
	// From are the trees that the action works on, besides inputs of the host.
	From []Source `json:"from,omitempty"`
	// Merge says what becomes of paths at which sources differ; the last policy
	// that matches a path decides, and without one it is an error.
	Merge []Policy `json:"merge,omitempty"`
	// Uses is what the action is thought to take of the machine.
	Uses Uses `json:"uses,omitzero"`
}

// Source is a tree that an action works on: that of another action's outputs, or
// one in the store. Exactly one of Action and Tree is set.
type Source struct {
	Action string   `json:"action,omitempty"`
	Tree   string   `json:"tree,omitempty"`   // a digest
	Subset []string `json:"subset,omitempty"` // patterns; none is all of it
	Strip  string   `json:"strip,omitempty"`  // the prefix that is taken off
	Prefix string   `json:"prefix,omitempty"` // the prefix that is added then
}

// Policy says what becomes of paths that a pattern matches: "error", "tolerate",
// "first" or "last".
type Policy struct {
	Pattern string `json:"pattern"`
	Policy  string `json:"policy"`
}

// Uses is a hint for whoever schedules, and no limit.
type Uses struct {
	CPUs   float64 `json:"cpus,omitempty"`   // 0 is one
	Memory string  `json:"memory,omitempty"` // a size such as 512M; empty: not known
}
