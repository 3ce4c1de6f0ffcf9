// Package plan describes a graph of actions, what each one runs and which trees
// of others it works on, and runs it.
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
// A [Build] runs the actions of a graph over the pipeline of package executor,
// several at a time, and says of each what became of it. It keeps nothing of its
// own: what is known from builds before are the results of the pipeline, so a
// crash at any moment leaves what crashes of its actions leave.
package plan
