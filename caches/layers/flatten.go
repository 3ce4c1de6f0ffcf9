package layers

import (
	"fmt"
	"os"
	"slices"
)

// MaxDepth is how many layers a stack has at most once [PlanFlatten] has been
// followed.
const MaxDepth = 8

// PlanFlatten says which layers to merge: all from the returned index up, or
// none when it is len(stack). Afterwards each layer is at least twice the size
// of the one above it and there are at most [MaxDepth], as with the digits of a
// binary counter: after N publishes of equal size there are O(log N) layers,
// and each entry has been linked O(log N) times.
func PlanFlatten(stack Stack) int {
	start := len(stack)
	for i := len(stack) - 2; i >= 0; i-- {
		if stack[i].Entries < 2*stack[i+1].Entries {
			start = i
		}
	}
	if len(stack) > MaxDepth {
		start = min(start, MaxDepth-1)
	}
	if start == len(stack) {
		return start
	}
	var size int64
	for _, layer := range stack[start:] {
		size += layer.Entries
	}
	for start > 0 && stack[start-1].Entries < 2*size {
		start--
		size += stack[start].Entries
	}
	return start
}

// Flatten fills the existing empty directory dir with one layer that has the
// effect of the layers of part, which begin at index from of their stack: plain
// files and links by hard links, or by copy where those are refused. Whiteouts
// and opaque marks stay where layers lie below, and fall away at the bottom of
// the stack. The layers themselves are not changed. The caller commits dir.
func Flatten(part Stack, from int, dir string) error {
	root, err := part.root()
	if err != nil {
		return fmt.Errorf("flatten: %w", err)
	}
	f := flattener{bottom: from == 0}
	if err := f.directory(root, dir); err != nil {
		return fmt.Errorf("flatten: %w", err)
	}
	return nil
}

type flattener struct {
	// bottom says that no layer lies below what is flattened.
	bottom bool
}

func (f flattener) directory(n node, dir string) error {
	names, err := n.names()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := f.name(n, name, dir); err != nil {
			return err
		}
	}
	return nil
}

func (f flattener) name(n node, name, dir string) error {
	child, err := n.child(name)
	if err != nil {
		return err
	}
	to := join(dir, name)
	switch {
	case child.isNone() && f.bottom:
		return nil
	case child.isNone():
		return MakeWhiteout(to)
	case child.Kind != Directory:
		return linkEntry(child.Entry, to)
	}
	return f.merged(child, to)
}

// merged makes one directory out of those that make up n.
func (f flattener) merged(n node, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if n.covers && !f.bottom {
		if err := setOpaque(to); err != nil {
			return err
		}
	}
	// An opaque mark does what whiteouts inside would do.
	inside := flattener{bottom: f.bottom || n.covers}
	if err := inside.directory(n, to); err != nil {
		return err
	}
	return finishDir(to, n.Entry)
}
