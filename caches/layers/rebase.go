package layers

import "fmt"

// Rebase decides whether a private layer that was made on the stack base may be
// stacked on head instead, and returns the paths that both changed and not to
// the same. When there are none, directories that the private layer only passes
// through have taken head's modes, and the layer is ready for [Commit].
//
// Two views are compared, never two histories, so it does not matter how head
// came about or whether it was flattened. A path counts as changed between base
// and head when kind, mode, content or a plain file's time differ; removing or
// replacing a directory touches all below it. Identical plain files and links
// must have been pruned from the private layer before, or they would hide what
// head has.
func Rebase(upper string, changes []Change, base, head Stack) (conflicts []string, err error) {
	r := rebaser{upper: upper, base: base, head: head}
	for _, change := range changes {
		if change.Hidden {
			continue // decided with the opaque directory above it
		}
		clash, err := r.clashes(change)
		if err != nil {
			return nil, fmt.Errorf("rebase %s: %w", change.Path, err)
		}
		if clash {
			conflicts = append(conflicts, change.Path)
		}
	}
	if len(conflicts) > 0 {
		return conflicts, nil
	}
	for _, dir := range r.passed {
		if err := Align(upper, dir.Path, dir.Mode); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

type rebaser struct {
	comparer
	upper      string
	base, head Stack
	passed     []Entry // as they are in head
}

func (r *rebaser) clashes(change Change) (bool, error) {
	theirs, err := r.head.lookup(change.Path)
	if err != nil {
		return false, err
	}
	if change.Kind == Directory && change.What == Identical && !change.Opaque {
		// A directory that head lost or replaced takes our changes with it.
		r.passed = append(r.passed, theirs.Entry)
		return theirs.Kind != Directory, nil
	}
	before, err := r.base.lookup(change.Path)
	if err != nil {
		return false, err
	}
	same, err := r.unmoved(change, before, theirs)
	if err != nil || same {
		return false, err
	}
	return r.differs(change, theirs)
}

// unmoved reports whether head still has what base had where change applies.
func (r *rebaser) unmoved(change Change, before, theirs node) (bool, error) {
	if before.isNone() || theirs.isNone() {
		return before.isNone() && theirs.isNone(), nil
	}
	if change.Opaque || change.What == Removed || change.What == Replaced {
		return r.sameTree(before, theirs)
	}
	what, err := r.entries(before, theirs)
	return what == Identical, err
}

// differs reports whether our entry and head's are not the same; times of
// equal bytes do not matter here.
func (r *rebaser) differs(change Change, theirs node) (bool, error) {
	if change.What == Removed || theirs.isNone() || change.Opaque {
		return change.What != Removed || !theirs.isNone(), nil
	}
	ours, err := inspect(realDir{path: parentOf(join(r.upper, change.Path))}, lastName(change.Path))
	if err != nil {
		return false, err
	}
	what, err := r.entries(ours, theirs)
	return what != Identical && what != Touched, err
}
