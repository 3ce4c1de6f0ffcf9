package mypyplan

import (
	"slices"
	"strconv"
	"strings"

	"larder/executor/action"
	"larder/executor/plan"
)

// How is how mypy is run.
type How struct {
	Python  string   // the program that runs mypy, as a user would name it
	Tools   []string // host paths
	Options []string // of mypy
	Paths   []string // what to check; none is what the configuration file says
	Inputs  []string // patterns: all files that mypy may read
}

// own is the folder of the helper in the sandbox.
const own = ".larder"

// imports is where the imports of files are remembered.
const imports = ".larder-imports"

// Names of the actions that are no units.
const (
	helperName = "helper"
	stubsName  = "stubs"
	reportName = "report"
	cacheName  = "cache"
	targetName = "mypy"
)

// Plan writes the plan for some units. The action mypy, its target, prints what
// mypy prints of the whole and ends with its exit code; the action cache merges
// all cache files of mypy.
func (g *Graph) Plan(units []Unit, how How) *plan.Plan {
	w := &writer{graph: g, units: units, how: how}
	if g.Whole != "" {
		w.units = []Unit{{Name: "everything"}}
	}
	p := &plan.Plan{Schema: plan.Version, Targets: []string{targetName}}
	p.Actions = append(p.Actions, helper())
	if g.Whole == "" {
		p.Actions = append(p.Actions, w.stubs())
		for i := range units {
			p.Actions = append(p.Actions, w.unit(i))
		}
	} else {
		p.Actions = append(p.Actions, w.whole())
	}
	p.Actions = append(p.Actions, w.report(), w.cache(), target())
	return p
}

// makeHelper is the command that makes the helper of $PART.
const makeHelper = `mkdir ` + own + ` && printf %s "$PART" >` + own + `/part.py && : >` + own + `/empty.py`

func helper() plan.Action {
	return plan.Action{Name: helperName, Spec: action.Spec{
		Argv: []string{"sh", "-c", makeHelper}, Env: map[string]string{"PART": Part}, Outputs: []string{own},
	}}
}

// Finder is the request that prints the graph, for [Read]. It remembers the
// imports of files in a mutable cache.
func (h How) Finder() action.Spec {
	return action.Spec{
		Argv: append(h.argv("graph", imports), h.Paths...), Setup: makeHelper, Env: map[string]string{"PART": Part},
		Inputs: h.Inputs, Tools: h.Tools,
		Caches: []action.CacheSpec{{Name: "mypy-plan", Mode: "mutable", Path: imports}},
	}
}

// argv is the command line of a part.
func (h How) argv(verb string, arguments ...string) []string {
	argv := append([]string{h.Python, "-B", own + "/part.py", verb}, arguments...)
	return append(append(argv, "--"), h.Options...)
}

type writer struct {
	graph *Graph
	units []Unit
	how   How
}

func unitName(unit Unit) string { return "check " + unit.Name }

// config is the configuration file as inputs.
func (w *writer) config() []string {
	if w.graph.Config == "" {
		return nil
	}
	return []string{pattern(w.graph.Config)}
}

func (w *writer) stubs() plan.Action {
	return plan.Action{Name: stubsName, Spec: action.Spec{
		Argv: w.how.argv("stubs", w.graph.External...), Inputs: w.config(), Tools: w.how.Tools, Outputs: []string{"seed", saidFile},
	}, From: []plan.Source{{Action: helperName}}}
}

// saidFile is where a part writes what mypy has said.
const saidFile = "said.json"

// seed is all that others may need of an action, at its place.
func seed(name string) plan.Source {
	return plan.Source{Action: name, Subset: []string{"/seed"}, Strip: "seed"}
}

// seedOf is what one unit needs of another: the modules that it sees. So an edit
// of those that it does not see leaves it as it is.
func (w *writer) seedOf(need int, sees moduleSet) plan.Source {
	source := seed(unitName(w.units[need]))
	var some []string
	for _, i := range w.units[need].Modules {
		if sees[i] {
			some = append(some, w.graph.seedPatterns(i)...)
		}
	}
	if len(some) < 2*len(w.units[need].Modules) {
		source.Subset = some
	}
	return source
}

// seedPatterns are the files of a module in a seed: the empty one in its place,
// and those that mypy has named after the module.
func (g *Graph) seedPatterns(i int) []string {
	module := &g.Modules[i]
	kept := ".mypy_cache/" + g.Python + "/" + strings.ReplaceAll(module.ID, ".", "/")
	if strings.HasPrefix(module.Path[strings.LastIndex(module.Path, "/")+1:], "__init__.py") {
		kept += "/__init__"
	}
	return []string{pattern("seed/" + module.Path), pattern("seed/"+kept) + ".*"}
}

func (w *writer) unit(i int) plan.Action {
	unit := w.units[i]
	inputs, sees := w.config(), w.graph.closure(unit.Modules)
	for _, module := range unit.Modules {
		inputs = append(inputs, pattern(w.graph.Modules[module].Path))
	}
	from := []plan.Source{{Action: helperName}, seed(stubsName)}
	for _, need := range unit.Needs {
		if source := w.seedOf(need, sees); len(source.Subset) > 0 {
			from = append(from, source)
		}
	}
	return plan.Action{
		Name: unitName(unit),
		Spec: action.Spec{
			Argv: w.how.argv("check", w.modules(sees, unit.Modules)...), Inputs: inputs, Tools: w.how.Tools,
			Outputs: []string{"seed", "cache", saidFile},
		},
		From:  from,
		Merge: []plan.Policy{{Pattern: "*.py", Policy: "first"}, {Pattern: "*.pyi", Policy: "first"}},
	}
}

// whole is the one action when parts would not be sound.
func (w *writer) whole() plan.Action {
	return plan.Action{
		Name: unitName(w.units[0]),
		Spec: action.Spec{
			Argv: append(w.how.argv("whole"), w.how.Paths...), Inputs: w.how.Inputs, Tools: w.how.Tools,
			Outputs: []string{"seed", "cache", saidFile},
		},
		From: []plan.Source{{Action: helperName}},
	}
}

// modules lists what a unit sees in the order of the graph, with the packages
// around, and marks its own.
func (w *writer) modules(sees moduleSet, mine []int) []string {
	places := w.graph.places()
	all := moduleSet{}
	var list []string
	for module := range sees {
		all[module] = true
		for _, above := range w.graph.Modules[module].Parents {
			all[places[above]] = true
		}
		for _, folder := range w.graph.Modules[module].Folders {
			list = append(list, "/"+folder)
		}
	}
	for _, module := range mine {
		for _, id := range w.graph.Modules[module].Absent {
			list = append(list, "!"+id)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	for i := range w.graph.Modules {
		if !all[i] {
			continue
		}
		module, mark := &w.graph.Modules[i], ""
		if _, isMine := slices.BinarySearch(mine, i); isMine {
			mark = "="
		}
		base := module.Base
		if !module.Root {
			base = "?" + base
		}
		list = append(list, mark+module.ID+"="+module.Path+"="+base)
	}
	return list
}

// speakers are the actions that say something.
func (w *writer) speakers() (names []string) {
	if w.graph.Whole == "" {
		names = append(names, stubsName)
	}
	for _, unit := range w.units {
		names = append(names, unitName(unit))
	}
	return names
}

func (w *writer) report() plan.Action {
	from := []plan.Source{{Action: helperName}}
	var arguments []string
	for i, name := range w.speakers() {
		prefix := "said/" + strconv.Itoa(i)
		from = append(from, plan.Source{Action: name, Subset: []string{"/" + saidFile}, Prefix: prefix})
		arguments = append(arguments, prefix+"/"+saidFile)
	}
	sources := 0
	var paths []string
	for i := range w.graph.Modules {
		paths = append(paths, w.graph.Modules[i].Path)
		if w.graph.Modules[i].Root {
			sources++
		}
	}
	arguments = append(append(arguments, "=", strconv.Itoa(sources)), paths...)
	return plan.Action{Name: reportName, Spec: action.Spec{
		Argv: w.how.argv("report", arguments...), Inputs: w.config(), Tools: w.how.Tools, Outputs: []string{"report"},
	}, From: from}
}

func (w *writer) cache() plan.Action {
	var from []plan.Source
	if w.graph.Whole == "" {
		from = append(from, seed(stubsName))
	}
	for _, unit := range w.units {
		from = append(from, plan.Source{Action: unitName(unit), Subset: []string{"/cache"}, Strip: "cache"})
	}
	return plan.Action{Name: cacheName, From: from}
}

// target prints what the report says. What it prints is shown, and its exit code
// is that of mypy.
func target() plan.Action {
	return plan.Action{Name: targetName, Spec: action.Spec{
		Argv: []string{"sh", "-c", "cat report/stdout && cat report/stderr >&2 && exit \"$(cat report/code)\""},
	}, From: []plan.Source{{Action: reportName}}}
}

// pattern is the input pattern for one path.
func pattern(path string) string {
	escaped := make([]byte, 0, len(path)+1)
	escaped = append(escaped, '/')
	for i := range len(path) {
		if slices.Contains([]byte(`\*?[ !#`), path[i]) {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, path[i])
	}
	return string(escaped)
}
