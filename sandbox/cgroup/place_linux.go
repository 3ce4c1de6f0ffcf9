package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is something that a group limits or measures.
type Kind uint8

// What a group can do.
const (
	Memory    Kind = iota // of all processes together, swap included
	Processes             // and threads, at one time
	CPUTime               // measured only
)

// controller is the one that serves the kind. Version 2 measures time without one.
func (k Kind) controller() string {
	return [...]string{Memory: "memory", Processes: "pids", CPUTime: "cpuacct"}[k]
}

// Version is the version of control groups that serves a kind.
type Version uint8

// None means that no group can be had.
const (
	None Version = iota
	V1
	V2
)

// place is a directory below which groups for some kinds can be made.
type place struct {
	dir     string
	version Version
	kinds   []Kind
}

// hierarchy is a mounted tree of groups.
type hierarchy struct {
	mount, own  string   // directories: its top, and the group of this process
	controllers []string // of version 1
	unified     bool
}

// Survey says which version would serve each kind for this process. It may turn
// controllers on for groups that could have them, as [New] would.
func Survey() (memory, processes, cpuTime Version) {
	found := [3]Version{}
	for _, p := range places([]Kind{Memory, Processes, CPUTime}) {
		for _, kind := range p.kinds {
			found[kind] = p.version
		}
	}
	return found[Memory], found[Processes], found[CPUTime]
}

// places finds where groups for the wanted kinds can be made. Kinds that none of
// them has cannot be had here.
func places(wanted []Kind) []place {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return choose(hierarchies(string(mounts), string(membership)), wanted)
}

// choose takes version 2 for what it can serve, and version 1 for the rest.
func choose(found []hierarchy, wanted []Kind) []place {
	var chosen []place
	for _, h := range found {
		if p, ok := divisible(h, wanted); ok && h.unified {
			chosen = append(chosen, p)
			wanted = slices.DeleteFunc(slices.Clone(wanted), func(k Kind) bool { return slices.Contains(p.kinds, k) })
		}
	}
	for _, h := range found {
		served := served1(h, wanted)
		if !h.unified && len(served) > 0 && mayDivide(h.own) {
			chosen = append(chosen, place{h.own, V1, served})
			wanted = slices.DeleteFunc(slices.Clone(wanted), func(k Kind) bool { return slices.Contains(served, k) })
		}
	}
	return chosen
}

// hierarchies reads the two tables that a process has of its groups, in the form
// of proc(5) and cgroups(7).
func hierarchies(mountinfo, membership string) []hierarchy {
	var found []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if !ok || len(where) < 5 || len(what) < 3 {
			continue
		}
		h := hierarchy{mount: where[4], unified: what[0] == "cgroup2", controllers: strings.Split(what[2], ",")}
		if !h.unified && what[0] != "cgroup" {
			continue
		}
		below, err := filepath.Rel(where[3], h.member(membership))
		if err == nil && below != ".." && !strings.HasPrefix(below, "../") {
			h.own = filepath.Join(h.mount, below)
			found = append(found, h)
		}
	}
	return found
}

// member gives the path of the group of this process in h, or "".
func (h *hierarchy) member(membership string) string {
	for line := range strings.Lines(membership) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if h.unified && parts[0] == "0" && parts[1] == "" {
			return parts[2]
		}
		if !h.unified && parts[1] != "" && slices.Contains(h.controllers, strings.Split(parts[1], ",")[0]) {
			return parts[2]
		}
	}
	return ""
}

// served1 lists those of wanted that a hierarchy of version 1 has.
func served1(h hierarchy, wanted []Kind) []Kind {
	var served []Kind
	for _, kind := range wanted {
		if slices.Contains(h.controllers, kind.controller()) {
			served = append(served, kind)
		}
	}
	return served
}

// divisible finds the group of version 2 that serves most of wanted; the first of
// equals among candidates.
func divisible(h hierarchy, wanted []Kind) (best place, ok bool) {
	if !h.unified {
		return place{}, false
	}
	for _, dir := range h.candidates() {
		if !mayDivide(dir) {
			continue
		}
		if served := served2(dir, wanted); len(served) > len(best.kinds) {
			best = place{dir, V2, served}
		}
		if len(best.kinds) == len(wanted) {
			break
		}
	}
	return best, len(best.kinds) > 0
}

// candidates lists the groups above the caller's own, the nearest first, and then
// its own.
func (h *hierarchy) candidates() []string {
	var dirs []string
	for dir := h.own; len(dir) > len(h.mount); {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	return append(dirs, h.own)
}

// served2 lists those of wanted that groups below dir have, or now get.
func served2(dir string, wanted []Kind) []Kind {
	var served []Kind
	crowded := isCrowded(dir)
	for _, kind := range wanted {
		if kind == CPUTime && (!crowded || len(names(dir, subtree)) == 0) || kind != CPUTime && !crowded && enabled(dir, kind.controller()) {
			served = append(served, kind)
		}
	}
	return served
}

// isCrowded reports whether dir has processes of its own, which rules out groups
// with controllers below it. The kernel does turn on that for processes there, and
// then lets no process into the groups below. The top of all groups is exempt,
// and the only one without a type.
func isCrowded(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err != nil || len(text) > 0
}

// Files of a group that name controllers: those that it has, and those that the
// groups below it have.
const (
	available = "cgroup.controllers"
	subtree   = "cgroup.subtree_control"
)

// names reads a list of controllers; without the file there are none.
func names(dir, file string) []string {
	text, _ := os.ReadFile(filepath.Join(dir, file))
	return strings.Fields(string(text))
}

// enabled reports whether the groups below dir have the controller, which it
// turns on if it can.
func enabled(dir, controller string) bool {
	if slices.Contains(names(dir, subtree), controller) {
		return true
	}
	return slices.Contains(names(dir, available), controller) && set(dir, subtree, "+"+controller) == nil
}

// mayDivide reports whether this user may make groups in dir and move processes
// from it into them.
func mayDivide(dir string) bool {
	return unix.Access(dir, unix.W_OK|unix.X_OK) == nil && unix.Access(filepath.Join(dir, "cgroup.procs"), unix.W_OK) == nil
}
