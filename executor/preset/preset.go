// Package preset knows what suits known tools: which files they read, where
// they keep their caches, in which mode these belong, and after which exit codes
// they are good. The knowledge is a table, a file of presets/ for each tool, that is
// read only when a preset is asked for; a user's own are added to it by [Preset.Add].
//
// A preset is what a request rests on and never more: [Preset.Under] puts it
// below a spec, where lists add to each other and the single values of the spec
// win. Values are safe for use by many goroutines once they are made.
package preset

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"larder/executor/action"
)

//go:embed presets/*.toml
var table embed.FS

// ErrUnknown marks the name of a preset that nobody defined.
var ErrUnknown = errors.New("unknown preset")

// Preset is what suits one tool. The zero value suits any and adds nothing.
type Preset struct {
	// Summary, Why and Command are for people: what it is for, why its caches
	// have their modes, and a command line as it is typed after --.
	Summary string `toml:"summary"`
	Why     string `toml:"why"`
	Command string `toml:"command"`
	// Inputs are patterns in gitignore syntax. One without wildcards is left out
	// when there is no such file: not every project has every settings file.
	Inputs []string `toml:"inputs"`
	// Tools are folders under the root with a bin folder. The first one whose
	// bin folder has the program of the command, or of Version, is a tool of it.
	Tools []string `toml:"tools"`
	// Env are variables of the command.
	Env map[string]string `toml:"env"`
	// Setup and Teardown are shell commands around the command. What a spec says
	// is run inside of them: after Setup, and before Teardown.
	Setup    string `toml:"setup"`
	Teardown string `toml:"teardown"`
	// Version is a command that prints the tool's version, and VersionFile a file
	// under the root that changes with it. One of them is needed where the key of a
	// cache holds {version}.
	Version     []string `toml:"version"`
	VersionFile string   `toml:"version-file"`
	// Caches are the named caches, by name.
	Caches map[string]Cache `toml:"cache"`
}

// Cache is a named cache of a preset.
type Cache struct {
	Mode string `toml:"mode"`
	Options
}

// Options are what larder.toml can say of a named cache; the fields are those of
// [action.CacheSpec], and an empty one means the same there. {version} in Key
// stands for the version of the tool when a preset is used.
type Options struct {
	Path       string `toml:"path"`
	Scope      string `toml:"scope"`
	Key        string `toml:"key"`
	Publish    string `toml:"publish"`
	OnConflict string `toml:"on-conflict"`
	Keep       int    `toml:"keep"`
	Lock       bool   `toml:"lock"`
	Unit       string `toml:"unit"`
	Share      string `toml:"share"`
}

// Spec declares a cache with these options, without name and mode.
func (o Options) Spec() action.CacheSpec {
	return action.CacheSpec{
		Path: o.Path, Scope: o.Scope, Key: o.Key, Publish: o.Publish, OnConflict: o.OnConflict,
		Keep: o.Keep, Lock: o.Lock, Unit: o.Unit, Share: o.Share,
	}
}

// Over returns the options with what other says in the place of its own values.
func (o Options) Over(other Options) Options {
	for _, pair := range []struct{ to, from *string }{
		{&o.Path, &other.Path}, {&o.Scope, &other.Scope}, {&o.Key, &other.Key}, {&o.Publish, &other.Publish},
		{&o.OnConflict, &other.OnConflict}, {&o.Unit, &other.Unit}, {&o.Share, &other.Share},
	} {
		replace(pair.to, *pair.from)
	}
	if other.Keep != 0 {
		o.Keep = other.Keep
	}
	o.Lock = o.Lock || other.Lock
	return o
}

// Spec declares the cache under a name.
func (c Cache) Spec(name string) action.CacheSpec {
	spec := c.Options.Spec()
	spec.Name, spec.Mode = name, c.Mode
	return spec
}

// over returns the cache with what other says in the place of its own values.
func (c Cache) over(other Cache) Cache {
	replace(&c.Mode, other.Mode)
	c.Options = c.Options.Over(other.Options)
	return c
}

func replace(value *string, by string) {
	if by != "" {
		*value = by
	}
}

// known reads the preset of a name from the table; it is empty when there is none.
func known(name string) (found Preset, ok bool, err error) {
	data, err := table.ReadFile("presets/" + name + ".toml")
	if err != nil {
		return Preset{}, false, nil
	}
	decoder := toml.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&found); err != nil {
		return Preset{}, false, fmt.Errorf("the preset %s of larder: %w", name, err)
	}
	return found, true, nil
}

// All is the whole table with a user's own presets added. It fails only when the
// table itself is wrong, which a test rules out.
func All(own map[string]Preset) (map[string]Preset, error) {
	all := map[string]Preset{}
	for _, name := range names(own) {
		found, _, err := known(name)
		if err != nil {
			return nil, err
		}
		all[name] = found.Add(own[name])
	}
	return all, nil
}

// names lists the presets of the table and of a user, sorted.
func names(own map[string]Preset) []string {
	all := slices.Collect(maps.Keys(own))
	files, _ := table.ReadDir("presets") // embedded, so it is there
	for _, file := range files {
		all = append(all, strings.TrimSuffix(file.Name(), ".toml"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Find returns the preset of a name, with what own adds to it. A name that is in
// neither is an [ErrUnknown] that lists those that there are.
func Find(name string, own map[string]Preset) (Preset, error) {
	found, isKnown, err := known(name)
	if err != nil {
		return Preset{}, err
	}
	mine, isOwn := own[name]
	if !isKnown && !isOwn {
		return Preset{}, fmt.Errorf("%w %q; there are %s", ErrUnknown, name, strings.Join(names(own), ", "))
	}
	found = found.Add(mine)
	return found, found.check(name)
}

// check finds what only the whole preset can be wrong in.
func (p Preset) check(name string) error {
	for _, cache := range slices.Sorted(maps.Keys(p.Caches)) {
		if p.Caches[cache].Mode == "" || p.Caches[cache].Path == "" {
			return fmt.Errorf("preset %s: cache %s needs a mode (append-only or mutable) and a path", name, cache)
		}
	}
	return nil
}

// Add returns the preset with more on top: lists grow, variables and caches join
// by name, set-up and tear-down are put into each other, and every other value
// that more has wins.
func (p Preset) Add(more Preset) Preset {
	p.Inputs = slices.Concat(p.Inputs, more.Inputs)
	p.Tools = slices.Concat(more.Tools, p.Tools)
	p.Env = joined(p.Env, more.Env)
	for _, pair := range []struct{ to, from *string }{
		{&p.Summary, &more.Summary}, {&p.Why, &more.Why}, {&p.Command, &more.Command},
	} {
		replace(pair.to, *pair.from)
	}
	p.Setup, p.Teardown = sequence(p.Setup, "&&", more.Setup), sequence(more.Teardown, ";", p.Teardown)
	if len(more.Version) > 0 || more.VersionFile != "" {
		p.Version, p.VersionFile = more.Version, more.VersionFile
	}
	all := maps.Clone(p.Caches)
	if all == nil {
		all = map[string]Cache{}
	}
	for name, cache := range more.Caches {
		all[name] = all[name].over(cache)
	}
	p.Caches = all
	return p
}

// sequence is two shell commands as one, either of which may be missing.
func sequence(first, operator, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return "{ " + first + "\n} " + operator + "\n{ " + second + "\n}"
}

// joined is one map over another.
func joined(below, above map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, below)
	maps.Copy(all, above)
	return all
}

// Under puts the preset below a spec: its inputs come before those of the spec,
// its tools after them, its set-up and tear-down around them, and a variable or a
// cache of the spec with the same name, or at the same path, takes the place of
// its own. The files that it looks for are those under root, an absolute directory.
func (p Preset) Under(spec *action.Spec, root string) {
	spec.Inputs = append(p.present(root), spec.Inputs...)
	if tool := p.tool(root, spec.Argv); tool != "" {
		spec.Tools = append(spec.Tools, tool)
	}
	spec.Env = joined(p.Env, spec.Env)
	spec.Setup, spec.Teardown = sequence(p.Setup, "&&", spec.Setup), sequence(spec.Teardown, ";", p.Teardown)
	for _, name := range slices.Sorted(maps.Keys(p.Caches)) {
		mine := p.Caches[name].Spec(name)
		if !slices.ContainsFunc(spec.Caches, func(c action.CacheSpec) bool { return c.Name == name || c.Path == mine.Path }) {
			spec.Caches = append(spec.Caches, mine)
		}
	}
}

// present lists the inputs without those files that this project does not have.
func (p Preset) present(root string) []string {
	return slices.DeleteFunc(slices.Clone(p.Inputs), func(pattern string) bool {
		if pattern == "." || strings.ContainsAny(pattern, `*?[\!`) {
			return false
		}
		_, err := os.Lstat(filepath.Join(root, pattern))
		return err != nil
	})
}

// Missed lists the folders, as absolute paths, in which the preset looks for the
// program of a command or for its own tool, when none of them has it.
func (p Preset) Missed(root string, argv []string) []string {
	if p.tool(root, argv) != "" {
		return nil
	}
	var folders []string
	for _, folder := range p.Tools {
		folders = append(folders, filepath.Join(root, folder, "bin"))
	}
	return folders
}

// tool is the first of the tool folders that has the program of the command, or
// of the version command: what sh -c starts is looked for there too.
func (p Preset) tool(root string, argv []string) string {
	for _, folder := range p.Tools {
		folder = filepath.Join(root, folder)
		for _, command := range [][]string{argv, p.Version} {
			if len(command) > 0 && !strings.Contains(command[0], "/") && isThere(filepath.Join(folder, "bin", command[0])) {
				return folder
			}
		}
	}
	return ""
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
