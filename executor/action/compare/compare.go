package compare

import (
	"cmp"
	"slices"
	"strings"

	"larder/executor/action"
)

// Difference is one component in which two actions differ. A side that does not
// have it is nil.
type Difference struct {
	Component Component `json:"component"`
	Name      string    `json:"name,omitempty"` // which one, of a component of which there may be several
	Before    *string   `json:"before"`
	After     *string   `json:"after"`
	// Secret says that the values are not told, only whether there are any.
	Secret bool `json:"secret,omitempty"`
	// Trees is what [Trees] found out about the inputs; nil when it was not asked.
	Trees *TreeChanges `json:"trees,omitempty"`
}

// hidden stands for a value that is not told.
const hidden = "(not shown)"

// Actions lists the components in which two actions differ, in the order of
// [Components], and by name within one. There is no value in it of a variable
// whose name looks as if it held a secret, see [action.IsSecretName].
func Actions(before, after Action) []Difference {
	var found []Difference
	note := func(component Component, name string, old, fresh *string) {
		d := Difference{Component: component, Name: name, Before: old, After: fresh}
		d.hide()
		found = append(found, d)
	}
	if before.Input != after.Input {
		old, fresh := before.Input.String(), after.Input.String()
		note(Inputs, "", &old, &fresh)
	}
	rank := slices.Index[[]Component]
	all := Components()
	for len(before.parts) > 0 || len(after.parts) > 0 {
		order := orderOf(before.parts, after.parts, func(c Component) int { return rank(all, c) })
		var old, fresh *string
		var at part
		if order >= 0 {
			at, after.parts, fresh = after.parts[0], after.parts[1:], &after.parts[0].value
		}
		if order <= 0 {
			at, before.parts, old = before.parts[0], before.parts[1:], &before.parts[0].value
		}
		if old == nil || fresh == nil || *old != *fresh {
			note(at.component, at.name, old, fresh)
		}
	}
	slices.SortStableFunc(found, func(a, b Difference) int { return rank(all, a.Component) - rank(all, b.Component) })
	return found
}

// orderOf says which of two sorted lists has the next part: below zero before,
// above zero after, zero both.
func orderOf(before, after []part, rank func(Component) int) int {
	switch {
	case len(before) == 0:
		return 1
	case len(after) == 0:
		return -1
	}
	a, b := before[0], after[0]
	return cmp.Or(cmp.Compare(rank(a.component), rank(b.component)), strings.Compare(a.name, b.name))
}

// hide takes the values of a secret out.
func (d *Difference) hide() {
	if d.Component != Env || !action.IsSecretName(d.Name) {
		return
	}
	d.Secret = true
	text := hidden
	for _, side := range []**string{&d.Before, &d.After} {
		if *side != nil {
			*side = &text
		}
	}
}
