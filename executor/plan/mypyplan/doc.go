// Package mypyplan writes plans that check a Python source tree with mypy in
// parts, one action each, which say together what one run of mypy says.
//
// A [Graph] is what a helper in Python has found out about the tree: its modules
// in the order in which mypy lists them, what each may import of the others, and
// what they import from outside. [Graph.Units] cuts it into units that need each
// other in no circle, and [Graph.Plan] writes the plan: one action for what is
// outside of the tree, one for each unit, and those that put together what all
// of them said.
//
// A unit sees the sources of its own modules alone. Of the modules that it needs,
// directly or not, it sees an empty file and what mypy has kept of their
// interface, without time, size, digest, line numbers and messages of the source.
// So an edit inside a function changes nothing for who imports the module.
//
// The helper is [Part]; it runs in the sandbox under the Python of mypy. All of
// this is a pure function of the graph: nothing is kept, shared or written.
package mypyplan
