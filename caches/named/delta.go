package named

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"larder/caches/layers"
)

// delta is what of a private layer may be published. It is worked out from the
// changes first, as a plan, and then carried out by apply.
type delta struct {
	outcome *Outcome
	kept    []layers.Change
	drop    []string     // to be pruned
	align   []alignment  // directories that take the mode of the stack
	lost    string       // the last path that was dropped with all below it
	whole   bool         // nothing was dropped from the private layer
	layer   layers.Layer // its counts, when it is whole
	report  func(change layers.Change, kind string)
}

// alignment is the mode that a directory takes.
type alignment struct {
	path string
	mode fs.FileMode
}

// newDelta sorts changes by the rules of one mode.
func newDelta(outcome *Outcome, changes []layers.Change, rule func(*delta, layers.Change)) *delta {
	d := &delta{outcome: outcome}
	d.report = func(change layers.Change, kind string) {
		outcome.Violations = append(outcome.Violations, Violation{change.Path, kind})
	}
	d.sort(changes, rule)
	return d
}

// sort puts what is kept in the place of what was found: each change is kept once at
// most, and after it was looked at.
func (d *delta) sort(changes []layers.Change, rule func(*delta, layers.Change)) {
	d.kept = changes[:0]
	for _, change := range changes {
		if d.lost == "" || !strings.HasPrefix(change.Path, d.lost+"/") {
			rule(d, change)
		}
	}
}

func (d *delta) keep(change layers.Change) { d.kept = append(d.kept, change) }

// dropTree drops a path with all below it; what follows in the list is skipped.
func (d *delta) dropTree(change layers.Change) {
	d.drop = append(d.drop, change.Path)
	d.lost = change.Path
}

// violate reports a change and drops it.
func (d *delta) violate(change layers.Change, kind string) {
	d.report(change, kind)
	d.dropTree(change)
}

// pass keeps a directory for what is in it, with the mode that it had.
func (d *delta) pass(change layers.Change) {
	if change.Below.Kind != 0 && (change.Opaque || change.Mode != change.Below.Mode) {
		d.align = append(d.align, alignment{change.Path, change.Below.Mode})
	}
	change.What, change.Opaque = layers.Identical, false
	d.keep(change)
}

// addOnly is the rule of append-only caches. The opaque mark of a directory
// that was deleted and made again is taken away, so deletions in it are undone.
func addOnly(d *delta, change layers.Change) {
	directory := change.Kind == layers.Directory
	switch change.What {
	case layers.Added:
		d.keep(change)
	case layers.Identical, layers.Touched:
		if directory {
			d.pass(change)
			return
		}
		if change.Kind != layers.Whiteout {
			d.outcome.Duplicates++
		}
		d.drop = append(d.drop, change.Path)
	case layers.Removed:
		d.report(change, violationKind(change.What))
		if !change.Hidden {
			d.drop = append(d.drop, change.Path)
		}
	case layers.ModeChanged:
		if directory {
			d.report(change, violationKind(change.What))
			d.pass(change)
			return
		}
		d.violate(change, violationKind(change.What))
	default:
		d.violate(change, violationKind(change.What))
	}
}

// violationKind is the word of the result record for what a change does.
func violationKind(what layers.ChangeKind) string {
	if what == layers.Removed {
		return "deleted"
	}
	return what.String()
}

// anything is the rule of mutable caches: all but special files.
func anything(d *delta, change layers.Change) {
	switch {
	case change.What == layers.Forbidden:
		d.violate(change, violationKind(change.What))
	case change.What != layers.Identical:
		d.keep(change)
	case change.Kind == layers.Directory || change.Hidden && change.Kind != layers.Whiteout:
		d.keep(change)
	default:
		d.drop = append(d.drop, change.Path)
	}
}

// count counts what is kept into the outcome and reports whether there is
// anything at all. Directories make a difference but are not counted.
func (d *delta) count() bool {
	added, changed, removed, differs := 0, 0, 0, false
	for _, change := range d.kept {
		differs = differs || change.What != layers.Identical
		switch {
		case change.What == layers.Removed:
			removed++
		case change.Kind == layers.Directory, change.What == layers.Identical:
		case change.What == layers.Added:
			added++
		default:
			changed++
		}
	}
	d.outcome.Added, d.outcome.Changed, d.outcome.Removed = added, changed, removed
	return differs
}

// apply carries the plan out on the private layer: drops paths, gives
// directories their modes back, and removes directories left empty that only
// led to what was dropped.
func (d *delta) apply(upper string) error {
	if err := layers.Prune(upper, d.drop); err != nil {
		return err
	}
	for _, dir := range d.align {
		if err := layers.Align(upper, dir.path, dir.mode); err != nil {
			return err
		}
	}
	passing := d.emptied()
	d.whole = len(d.drop)+len(passing) == 0
	return layers.PruneEmpty(upper, passing)
}

// emptied lists the directories that are there for what is in them, of which
// nothing was kept.
func (d *delta) emptied() (passing []string) {
	holds, last := map[string]bool{}, ""
	for i := len(d.kept) - 1; i >= 0; i-- {
		change := &d.kept[i]
		passes := change.What == layers.Identical && change.Kind == layers.Directory && !change.Opaque && !change.Hidden
		if passes && !holds[change.Path] {
			passing = append(passing, change.Path)
			continue
		}
		if folder := parent(change.Path); folder != last { // most are many in one
			holds[folder], last = true, folder
		}
	}
	slices.Reverse(passing)
	return passing
}

// wholeUnits drops from the plan every directory that matches pattern and
// cannot be added whole: because it was there before, or because something in
// it was dropped.
func (d *delta) wholeUnits(pattern string, broken []string) {
	units := unitVerdicts{}
	for _, change := range d.kept {
		if change.Kind == layers.Directory && doublestar.MatchUnvalidated(pattern, change.Path) {
			units[change.Path] = change.What != layers.Added
		}
	}
	for unit := range units {
		for _, path := range broken {
			units[unit] = units[unit] || inside(path, unit)
		}
	}
	kept := d.kept
	d.kept = nil
	for _, change := range kept {
		if !d.inBrokenUnit(units, change) {
			d.keep(change)
		}
	}
}

// unitVerdicts says of the path of each unit whether it is to be dropped.
type unitVerdicts map[string]bool

// inBrokenUnit drops additions inside a unit that cannot be added whole, and
// reports each unit once, with the first of them.
func (d *delta) inBrokenUnit(units unitVerdicts, change layers.Change) bool {
	for dir := change.Path; dir != ""; dir = parent(dir) {
		if !units[dir] || change.What != layers.Added {
			continue
		}
		if d.lost != dir {
			d.report(layers.Change{Entry: layers.Entry{Path: dir}}, "unit")
			d.lost = dir
		}
		d.drop = append(d.drop, change.Path)
		return true
	}
	return false
}

func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

func inside(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }
