// Package plan describes a graph of actions: what each one runs, and which trees
// of others it works on.
//
// A [Plan] is read from JSON by [Parse]; docs/plan.schema.json is its published
// form. It has a list of named actions. An action with an argv is a request as
// `larder run --spec` takes it; one without only makes a tree of other trees.
// The sources of an action (from) are the output trees of other actions, or
// trees that are in the store: of each a subset, without a prefix, below
// another prefix. Sources and host inputs are merged; policies say what becomes
// of collisions.
//
// [Plan.Graph] checks a plan as a whole, and says at once all that is wrong with
// it, each with its line and column: names that occur twice, producers that are
// missing, cycles, and what is wrong with each request by itself. A [Graph] is
// not changed once it is made and may be shared.
//
// The package runs nothing and touches no file.
package plan
