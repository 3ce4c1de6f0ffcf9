package action

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder/caches"
)

// Action is a checked request: every path, name and option in it is valid.
type Action struct {
	Argv     []string
	Env      []Variable // sorted by name
	Root     string     // absolute host directory
	Inputs   []string   // patterns in gitignore syntax
	NoInputs []string   // absolute host paths that are not inputs unless named
	Trees    []Tree
	Tools    []string  // absolute host paths; the bin folder of an earlier one is earlier on PATH
	Payloads []Payload // sorted by path
	Outputs  []Path    // sorted
	Caches   []Cache   // sorted by path
	Observe  []string  // absolute host paths
	Setup    string
	Teardown string
	Network  Network
	Host     Host
	// Guarantees are the flags of isolation that were asked for by name, and are not
	// only the defaults. They are no part of the key.
	Guarantees []string
	Userns     bool          // processes may make user namespaces of their own, and mounts in them
	Timeout    time.Duration // of the command, without set-up; 0 is none
	Limits     Limits
	Strict     bool
}

// Variable is one environment variable of the command.
type Variable struct{ Name, Value string }

// Tree is a stored tree, by the text of its digest, and its place.
type Tree struct {
	Digest string
	Path   Path
}

// Network says what of the network an action reaches.
type Network string

// The networks an action can ask for.
const (
	NetworkNone Network = "none" // loopback of its own, nothing else
	NetworkHost Network = "host" // the network of the machine
)

// Host says what of the host an action sees beside its tools and payloads.
type Host string

// The views of the host an action can ask for.
const (
	HostSystem Host = "system" // its system folders, read-only
	HostNone   Host = "none"   // nothing
)

// Validate checks every part of the spec and reports all that is wrong at once.
// base is the directory that relative host paths are relative to.
func (s Spec) Validate(base string) (*Action, error) {
	v := validator{base: base}
	action := &Action{
		Argv: s.Argv, Env: v.env(s.Env), Root: v.host(s.Root), Inputs: s.Inputs,
		Trees: v.trees(s.Trees), Tools: v.hosts("tool", s.Tools), Outputs: v.outputs(s.Outputs),
		Payloads: v.payloads(s.Payloads), Caches: v.caches(s.Caches), Observe: v.hosts("observed", s.Observe),
		Setup: s.Setup, Teardown: s.Teardown,
		Network: v.network(s.Network), Host: v.view(s.Host), Userns: s.Userns,
		Timeout: v.duration("timeout", s.Timeout), Limits: v.limits(s), Strict: s.Strict,
	}
	action.Guarantees = s.guarantees()
	v.argv(s.Argv)
	v.overlaps(action)
	if len(v.problems) > 0 {
		return nil, errors.Join(v.problems...)
	}
	return action, nil
}

func (s Spec) guarantees() (flags []string) {
	if s.Network == string(NetworkNone) {
		flags = append(flags, "--network none")
	}
	if s.Host == string(HostNone) {
		flags = append(flags, "--host none")
	}
	return flags
}

// validator collects what is wrong, so that a user sees all of it.
type validator struct {
	base     string
	problems []error
}

func (v *validator) refuse(format string, args ...any) {
	v.problems = append(v.problems, fmt.Errorf("%w "+format, append([]any{caches.ErrInvalid}, args...)...))
}

func (v *validator) keep(err error) {
	if err != nil {
		v.problems = append(v.problems, err)
	}
}

func (v *validator) argv(argv []string) {
	if len(argv) == 0 || argv[0] == "" {
		v.refuse("request: no command; name one after --, or as argv of a spec")
	}
	for _, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			v.refuse("argument %q: it holds a NUL character", arg)
		}
	}
}

func (v *validator) env(env map[string]string) []Variable {
	var variables []Variable
	for name, value := range env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			v.refuse("environment variable %q: a name is not empty and holds no '='; neither name nor value holds a NUL character", name)
		}
		variables = append(variables, Variable{name, value})
	}
	slices.SortFunc(variables, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return variables
}

func (v *validator) host(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.base, path)
	}
	return filepath.Clean(path)
}

// hosts keeps the order in which the paths were given, each once.
func (v *validator) hosts(what string, paths []string) []string {
	var clean []string
	for _, path := range paths {
		if path == "" {
			v.refuse("%s path: it is empty", what)
			continue
		}
		if path = v.host(path); !slices.Contains(clean, path) {
			clean = append(clean, path)
		}
	}
	return clean
}

func (v *validator) outputs(texts []string) []Path {
	var paths []Path
	for _, text := range texts {
		path, err := ParsePath("output", text)
		v.keep(err)
		if err == nil {
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, func(a, b Path) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(paths)
}

func (v *validator) trees(specs []TreeSpec) []Tree {
	var trees []Tree
	for _, spec := range specs {
		path, err := ParsePath("tree", spec.Path)
		v.keep(err)
		trees = append(trees, Tree{spec.Digest, path})
	}
	return trees
}

func (v *validator) network(text string) Network {
	switch Network(text) {
	case "", NetworkNone:
		return NetworkNone
	case NetworkHost:
		return NetworkHost
	}
	v.refuse("network %q: use none or host", text)
	return NetworkNone
}

func (v *validator) view(text string) Host {
	switch Host(text) {
	case "", HostSystem:
		return HostSystem
	case HostNone:
		return HostNone
	}
	v.refuse("host %q: use system or none", text)
	return HostSystem
}

func (v *validator) overlaps(action *Action) {
	v.placedTwice(action)
	v.coverings(action)
	for i, cache := range action.Caches {
		for _, other := range action.Caches[i+1:] {
			if cache.Path.Overlaps(other.Path) {
				v.refuse("caches %s at %s and %s at %s: two caches can't share a path or lie inside each other; move one", cache.Name, cache.Path, other.Name, other.Path)
			}
			if cache.same(other) && (cache.Lock || other.Lock) {
				v.refuse("cache %s at %s and at %s: with lock=true an action would wait for itself; give it one path", cache.Name, cache.Path, other.Path)
			}
		}
		for _, output := range action.Outputs {
			if cache.Path.Overlaps(output) {
				v.refuse("cache %s at %s and output %s: a path is a cache or an output, not both; move one", cache.Name, cache.Path, output)
			}
		}
	}
}

// placedTwice: an output is moved into the store as a whole, so another one
// inside it would be gone; of two trees at one place only one would be seen.
func (v *validator) placedTwice(action *Action) {
	for _, pair := range nested(action.Outputs) {
		v.refuse("outputs %s and %s: one lies inside the other and comes with it; leave the inner one out", pair[0], pair[1])
	}
	for i, tree := range action.Trees {
		for _, other := range action.Trees[i+1:] {
			if tree.Path == other.Path && tree.Path.text != "" {
				v.refuse("trees %s and %s: two trees at the same path %s; move one, or merge them first", tree.Digest, other.Digest, tree.Path)
			}
		}
	}
}
