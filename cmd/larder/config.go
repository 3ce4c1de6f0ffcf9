package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"larder/caches"
	"larder/executor/preset"
)

// settings is what larder.toml can say. The files in the root and above it are
// read first, the nearest one winning, and the user's own last.
type settings struct {
	Store   string `toml:"store"`
	Results string `toml:"results"`
	Sandbox string `toml:"sandbox"`
	Digest  string `toml:"digest-function"`
	MaxSize string `toml:"max-size"`
	// Sizes are what the files say of the size of stores, the nearest file first.
	Sizes []sizeRule `toml:"-"`
	// Background allows work that nobody waits for; nil is yes.
	Background *bool `toml:"background"`
	// Caches are the options of named caches, so that a name is enough on the
	// command line.
	Caches  map[string]preset.Options `toml:"cache"`
	Presets map[string]preset.Preset  `toml:"preset"`
}

// loadSettings reads every configuration file that applies to root.
func loadSettings(root string) (settings, error) {
	merged, bad := loadUsable(root)
	if len(bad) > 0 {
		return settings{}, bad[0]
	}
	return merged, nil
}

// loadUsable is loadSettings without the files that are wrong, and what is wrong
// with each, the nearest first.
func loadUsable(root string) (settings, []error) {
	var bad []error
	merged := settings{Caches: map[string]preset.Options{}, Presets: map[string]preset.Preset{}}
	for _, path := range configFiles(root) {
		above := root
		if path == ownConfig() {
			above = "" // the user's own, wherever it is
		}
		one, err := readSettings(path, above)
		if errors.Is(err, errForeign) {
			complain(fmt.Errorf("%w; it is ignored; run in a folder of that user to use it, or make it yours or root's", err))
			continue
		}
		if err == nil && above != "" {
			err = one.refuseLessIsolation(path)
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if one.MaxSize != "" {
			merged.Sizes = append(merged.Sizes, sizeRule{one.MaxSize, one.Store, path, above == ""})
		}
		merged.fill(one)
	}
	return merged, bad
}

func configFiles(root string) []string {
	var paths []string
	for folder := root; ; folder = filepath.Dir(folder) {
		paths = append(paths, filepath.Join(folder, "larder.toml"))
		if folder == filepath.Dir(folder) {
			break
		}
	}
	if own := ownConfig(); own != "" {
		paths = append(paths, own)
	}
	return paths
}

// ownConfig is the user's own configuration file, "" for a user without a home.
func ownConfig() string {
	folder, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "larder", "larder.toml")
}

// sizeRule is a max-size of a configuration file.
type sizeRule struct {
	size, store, file string
	isOwn             bool // it is in the user's own file
}

// sizeFor is the size that the files give a store, "" when they give none. A
// repository that was cloned must not empty the store of its user, so its file
// speaks only for the store that it names itself. left is the nearest file that
// has nothing to say for that reason.
func (s *settings) sizeFor(store string) (size, left string) {
	for _, rule := range s.Sizes {
		switch {
		case rule.isOwn || rule.store == store:
			return rule.size, left
		case left == "":
			left = rule.file
		}
	}
	return "", left
}

// fill takes from one what is not set yet.
func (s *settings) fill(one settings) {
	for _, pair := range []struct{ to, from *string }{
		{&s.Store, &one.Store}, {&s.Results, &one.Results}, {&s.Sandbox, &one.Sandbox}, {&s.Digest, &one.Digest},
	} {
		if *pair.to == "" {
			*pair.to = *pair.from
		}
	}
	if s.Background == nil {
		s.Background = one.Background
	}
	for name, cache := range one.Caches {
		if _, known := s.Caches[name]; !known {
			s.Caches[name] = cache
		}
	}
	for name, mine := range one.Presets {
		if _, known := s.Presets[name]; !known {
			s.Presets[name] = mine
		}
	}
}

// readSettings reads one file; a missing one is empty. Relative paths in it
// are relative to its folder.
func readSettings(path, root string) (settings, error) {
	data, err := readTrusted(path, root)
	if err != nil {
		return settings{}, fmt.Errorf("read the configuration: %w", err)
	}
	var one settings
	if len(data) == 0 {
		return one, nil // mostly there is none, and the decoder takes its time to find nothing
	}
	decoder := toml.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decode(decoder, &one); err != nil {
		return settings{}, describeTOML(path, err)
	}
	if wrong := findMisspelling(data); wrong != nil {
		return settings{}, fmt.Errorf("%s:%d: unknown key %s; it is written %s", path, wrong.line, wrong.key, wrong.right)
	}
	if one.Store != "" && !filepath.IsAbs(one.Store) {
		one.Store = filepath.Join(filepath.Dir(path), one.Store)
	}
	return one, nil
}

// decode is Decode without its panics: a date where text belongs is one.
func decode(decoder *toml.Decoder, one *settings) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w value: it is of another type than its key takes; dates and times are written in quotes", caches.ErrInvalid)
		}
	}()
	return decoder.Decode(one)
}

// describeTOML names the file, the line and the key of the first problem.
func describeTOML(path string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		key := strings.Join(first.Key(), ".")
		if isLater(first.Key()) {
			return fmt.Errorf("%s:%d: %s is not yet in this version of larder; leave it out", path, line, key)
		}
		if first.Key()[0] == "preset" {
			return fmt.Errorf("%s:%d: unknown key %s; [preset.NAME] takes summary, why, command, inputs, tools, env, setup, teardown, version and version-file, [preset.NAME.cache.CACHE] takes mode, path, scope, key, publish, on-conflict, lock, unit, share and keep", path, line, key)
		}
		return fmt.Errorf("%s:%d: unknown key %s; there are store, results, sandbox, digest-function, max-size, background, [preset.NAME], and [cache.NAME] with path, scope, key, publish, on-conflict, lock, unit, share and keep", path, line, key)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		if kind := wantedKind(err); kind != "" {
			return fmt.Errorf("%s:%d: the key on this line takes %s", path, line, kind)
		}
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}
	if kind := wantedKind(err); kind != "" {
		return fmt.Errorf("%s: one of its keys takes %s", path, kind)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// wantedKind says which kind of value belongs where another one stands, or "" of
// other mistakes. The decoder names the type of Go.
func wantedKind(err error) string {
	_, kind, found := strings.Cut(err.Error(), " of type ")
	if !found {
		return ""
	}
	switch strings.TrimPrefix(kind, "*") {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "string":
		return "a text in quotes"
	case "[]string":
		return `a list of texts, as ["a", "b"]`
	}
	return "another kind of value"
}

// isLater reports whether a key belongs to the published contract but not to
// this version.
func isLater(key []string) bool {
	return slices.Contains([]string{"size-cap", "remote"}, key[0])
}

// storeFolder decides where the store is: flag, environment, configuration, the
// user's cache directory.
func storeFolder(flag string, configured settings) (string, error) {
	for _, choice := range []string{flag, os.Getenv("LARDER_STORE"), configured.Store} {
		if choice != "" {
			return filepath.Abs(choice)
		}
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for the store: %w; name one with --store DIR or LARDER_STORE", err)
	}
	return filepath.Join(folder, "larder"), nil
}
