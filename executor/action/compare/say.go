package compare

import (
	"fmt"

	"larder/digest"
)

// Short says in a few words what differs, for a line about an action that ran.
func (d Difference) Short() string {
	switch d.Component {
	case Inputs:
		if d.Trees != nil && len(d.Trees.Paths) > 0 {
			return "input " + d.Trees.Paths[0].short() + d.Trees.more()
		}
		return "its inputs changed"
	case Env:
		return "env " + digest.Quote(d.Name) + " " + d.verb()
	case Host, Version:
		return "the " + d.subject() + " changed"
	}
	return d.subject() + " " + d.verb()
}

// more says how many paths there are beside the first.
func (t TreeChanges) more() string {
	n := t.More + len(t.Paths) - 1
	switch {
	case t.Uncounted:
		return fmt.Sprintf(", and more than %d more", n)
	case n > 0:
		return fmt.Sprintf(", and %d more", n)
	}
	return ""
}

func (d Difference) subject() string {
	if d.Name == "" {
		return string(d.Component)
	}
	return string(d.Component) + " " + digest.Quote(d.Name)
}

// verb says what became of the component.
func (d Difference) verb() string { return verb(d.Before, d.After) }

func verb[T any](before, after *T) string {
	switch {
	case before == nil:
		return "is new"
	case after == nil:
		return "is gone"
	}
	return "changed"
}

func (p PathChange) short() string {
	return digest.Quote(p.Path) + " " + verb(p.Before, p.After)
}

// Lines says what differs, for people: a sentence with both sides, one line for
// each path of the inputs that is told, and what to do about it. Lines after the
// first are indented.
func (d Difference) Lines() []string {
	first := d.subject() + " " + d.verb()
	switch {
	case d.isState():
		first += " (only fingerprints are compared)"
	case d.Component == Inputs:
	case d.Secret:
		first += " (its value is not shown)"
	default:
		before, after := narrow(side(d.Before), side(d.After))
		first += fmt.Sprintf(": %s -> %s", before, after)
	}
	lines := []string{first}
	if d.Trees != nil {
		lines = append(lines, d.Trees.lines()...)
	}
	if advice := d.advice(); advice != "" {
		lines = append(lines, "  "+advice)
	}
	return lines
}

// isState reports whether the values are fingerprints, which tell people nothing.
func (d Difference) isState() bool {
	switch d.Component {
	case Program, Tool, Host, Payload:
		return d.Before != nil && d.After != nil
	}
	return false
}

func side(text *string) string {
	if text == nil {
		return "(none)"
	}
	if *text == "" {
		return "''"
	}
	return *text
}

// narrow leaves the same beginning of two long texts out.
func narrow(before, after string) (string, string) {
	const kept, long = 20, 80
	old, fresh := []rune(before), []rune(after)
	same := 0
	for same < min(len(old), len(fresh)) && old[same] == fresh[same] {
		same++
	}
	if same > kept && max(len(old), len(fresh)) > long {
		before, after = "..."+string(old[same-kept:]), "..."+string(fresh[same-kept:])
	}
	return show(before), show(after)
}

func (c *TreeChanges) lines() []string {
	var lines []string
	for _, p := range c.Paths {
		lines = append(lines, fmt.Sprintf("  %s: %s -> %s", digest.Quote(p.Path), p.Before, p.After))
	}
	switch {
	case c.Uncounted:
		lines = append(lines, fmt.Sprintf("  and more than %d more", c.More))
	case c.More > 0:
		lines = append(lines, fmt.Sprintf("  and %d more", c.More))
	}
	if c.Unread != "" {
		lines = append(lines, "  not all can be compared, since a part of the trees is not in the store (any more): "+show(c.Unread))
	}
	return lines
}

// String is what a tree has at a path, on one line.
func (n *Node) String() string {
	switch {
	case n == nil:
		return "(none)"
	case n.Target != "":
		return "symlink to " + digest.Quote(n.Target)
	case n.Executable:
		return "executable " + n.Digest
	}
	return n.Kind + " " + n.Digest
}

// advice says what to do so that two actions are the same in this component.
func (d Difference) advice() string {
	switch d.Component {
	case Argv:
		return "give the same arguments, in the same order"
	case Env:
		return "give it the same value with -e, or leave it out when the command does not need it"
	case Inputs:
		if d.Trees == nil || len(d.Trees.Paths) > 0 {
			return "leave out of the inputs (-i '!PATTERN') what the command does not need"
		}
	case Outputs:
		return "declare the same outputs with -o"
	case Cache:
		return "declare the same caches at the same places; what is in them does not count"
	case Limit:
		return "give the same limits: under others a command may answer otherwise"
	case Program, Tool:
		return "it was installed anew or changed by somebody; name with --tool what stays as it is"
	case Host:
		return "packages were installed, removed or replaced; with --host none only what --tool names counts"
	case Payload:
		return "a payload is meant not to change; name one directory for each version"
	case Path:
		return "the folders of programs, in their order; name the same tools with --tool"
	case Version:
		return "another version of larder made it, whose results are not used by this one"
	case Function:
		return "use the same digest function (digest in larder.toml, LARDER_DIGEST_FUNCTION)"
	}
	return ""
}
