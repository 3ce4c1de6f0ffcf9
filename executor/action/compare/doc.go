// Package compare says in which components two actions differ. It works on the
// two messages that a key covers, the Action and the Command of the Remote
// Execution API, whoever made them: [Decode] takes them apart into components,
// [Actions] lists those that differ, in a fixed order, and [Trees] the paths at
// which two input trees do.
//
// Everything here is a function of its arguments. Two actions with the same
// messages never differ, and the differences from b to a are those from a to b
// with the two sides exchanged.
package compare

// Component is one of the things that a key is made of, in words for people.
type Component string

// The components, in the order in which they are compared: what a user wrote
// first, then what the machine adds.
const (
	Argv      Component = "argv"
	Env       Component = "environment variable"
	WorkDir   Component = "working directory"
	Inputs    Component = "inputs"
	Outputs   Component = "outputs"
	Cache     Component = "cache"
	Setup     Component = "set-up"
	Teardown  Component = "tear-down"
	Limit     Component = "limit"
	Strict    Component = "strict"
	Network   Component = "network"
	HostView  Component = "view of the host"
	Userns    Component = "user namespaces"
	Sandbox   Component = "kind of sandbox"
	Payload   Component = "payload"
	Platform  Component = "platform property"
	Program   Component = "program"
	Path      Component = "PATH of the tools"
	Tool      Component = "tool"
	Host      Component = "packages of the host"
	Version   Component = "version of the key"
	Function  Component = "digest function"
	OtherPart Component = "field of the messages"
)

// Components lists all of them, in the order in which they are compared.
func Components() []Component {
	return []Component{
		Argv, Env, WorkDir, Inputs, Outputs, Cache, Setup, Teardown, Limit, Strict, Network, HostView, Userns, Sandbox,
		Payload, Platform, Program, Path, Tool, Host, Version, Function, OtherPart,
	}
}
