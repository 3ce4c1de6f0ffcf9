//go:build amd64 || arm64

package sandbox

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A template is the root of a sandbox with all that is the same in each, read-only once a
// command runs: files, links, devices, and what a view shows of the host. A keeper lays it
// once, over the root of a mount namespace of its own, and is in it by its working
// directory. A process 1 that it makes has a copy of that namespace, as the kernel makes one
// in a single step, and of the directory. What the command may write to, and /proc, each
// sandbox mounts for itself.

// isOwn reports whether each sandbox has a mount of its own. Others have been found to be
// before it.
func (m *mount) isOwn(others []mount) bool {
	return m.kind != mountBind && m.kind != mountDevice || covering(others, m.target) != nil
}

// divide gives the mounts that a template has, and those that each sandbox has of its own.
func divide(mounts []mount) (shared, own []mount) {
	for _, m := range mounts {
		if m.isOwn(own) {
			own = append(own, m)
		} else {
			shared = append(shared, m)
		}
	}
	return shared, own
}

// layTemplate lays it, with the mount points of all mounts, and enters it.
func (t *table) layTemplate(made pathSet, root *tree) {
	shared, _ := divide(root.mounts)
	t.makeRoot(made, root)
	t.mountPoints(made, nil, root.mounts)
	t.mountAll(nil, shared)
	t.at(stageRoot, "")
	t.call(unix.SYS_FCHDIR, regRoot.operand())
	t.close(regRoot)
}

// takeTemplate makes a sandbox of the copy, but for the mounts of a run.
func (t *table) takeTemplate(mounts []mount) {
	shared, own := divide(mounts)
	t.at(stageRoot, "")
	t.call(unix.SYS_OPENAT, atCWD, t.text("."), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).into(regRoot)
	t.mountAll(shared, own)
}

// madeByKeeper tells what is there in the template, by planning that for nobody.
func (p *program) madeByKeeper() pathSet {
	made, used := pathSet{"/": true}, p.arena.used
	(&table{arena: p.arena}).layTemplate(made, &p.root)
	p.arena.rewind(used)
	return made
}

// point is a mount point that a sandbox has made in the template for a mount of its run.
type point struct {
	path  string
	flags int // of unlinkat
}

// pointsOf lists what steps make in the order in which it can be removed.
func pointsOf(steps []step) []point {
	var list []point
	for _, s := range slices.Backward(steps) {
		switch {
		case s.args[0].reg != regRoot:
		case s.nr == unix.SYS_MKDIRAT:
			list = append(list, point{s.path, unix.AT_REMOVEDIR})
		case s.nr == unix.SYS_MKNODAT:
			list = append(list, point{s.path, 0})
		}
	}
	return list
}

// clean removes, before all steps from a place on, what the sandbox before has left and
// these do not make. Mostly one run has the same mount points as the next.
func (t *table) clean(place int, litter []point) (leaves []point) {
	leaves = pointsOf(t.steps[place:])
	removal := &table{arena: t.arena}
	for _, l := range litter {
		if !slices.Contains(leaves, l) {
			removal.at(stageFile, l.path)
			removal.call(unix.SYS_UNLINKAT, regRoot.operand(), t.text(relative(l.path)), num(l.flags)).tolerate(unix.ENOENT)
		}
	}
	t.steps = slices.Insert(t.steps, place, removal.steps...)
	return leaves
}
