package preset

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"larder/digest"
	"larder/executor/action"
)

// placeholder is what stands for the version in the key of a cache.
const placeholder = "{version}"

// probeTime and probeOutput are more than a tool needs to say its version, and
// mostVersion bounds the bytes of a file that stands for it.
const (
	probeTime   = "60s"
	probeOutput = "1M"
	mostVersion = 64 << 20
)

// ErrNoVersion marks a version that is asked for and cannot be found.
var ErrNoVersion = errors.New("no version")

// NeedsVersion reports whether the key of a cache holds {version}.
func NeedsVersion(spec action.Spec) bool {
	return slices.ContainsFunc(spec.Caches, func(c action.CacheSpec) bool { return strings.Contains(c.Key, placeholder) })
}

// Expand puts the version in the place of {version}.
func Expand(spec *action.Spec, version string) {
	for i := range spec.Caches {
		spec.Caches[i].Key = strings.ReplaceAll(spec.Caches[i].Key, placeholder, version)
	}
}

// Probe is the request whose output tells the version of the tool: the version
// command, with the tools and variables of spec and none of its files. When the
// command of spec names the same program by a path, so does this one.
func (p Preset) Probe(spec action.Spec) (action.Spec, error) {
	if len(p.Version) == 0 {
		return action.Spec{}, fmt.Errorf("%w: a key holds %s, and the preset has neither version nor version-file", ErrNoVersion, placeholder)
	}
	argv := slices.Clone(p.Version)
	if len(spec.Argv) > 0 && filepath.Base(spec.Argv[0]) == argv[0] {
		argv[0] = spec.Argv[0]
	}
	return action.Spec{Argv: argv, Root: spec.Root, Tools: spec.Tools, Env: spec.Env, Timeout: probeTime, OutputLimit: probeOutput}, nil
}

// FileVersion is the start of the digest of the version file under root: what is
// in it counts, so any file that changes with the tool will do.
func (p Preset) FileVersion(root string) (string, error) {
	data, err := digest.ReadPlain(filepath.Join(root, p.VersionFile), mostVersion)
	if err != nil {
		return "", fmt.Errorf("%w: the version file cannot be read: %w; install the tool in the project, or give the cache a key= of your own", ErrNoVersion, err)
	}
	return digest.Of(digest.BLAKE3, data).Hash()[:12], nil
}

// VersionIn finds the version in what a tool printed: the first word with a digit
// and a dot, without brackets and commas around it.
func VersionIn(output string) (string, error) {
	for _, word := range strings.Fields(output) {
		word = strings.Trim(word, "(),;:")
		if strings.Contains(word, ".") && strings.ContainsAny(word, "0123456789") {
			return word, nil
		}
	}
	return "", fmt.Errorf("%w: there is none in %q", ErrNoVersion, output)
}
