package action

import (
	"fmt"
	"strconv"
	"strings"

	"larder/caches"
)

// ParseCacheFlag reads NAME=PATH[,OPT...], the text of --append-only and
// --mutable. Options are separated by commas; a part without '=' continues the
// value before it, so that publish=0,1,scope=global has two options; PATH holds
// no comma, so that an option without a value is not taken for a part of it. PATH may
// be missing (the name alone, or the name and options) when defaults, from the
// configuration, have one.
func ParseCacheFlag(mode, text string, defaults CacheSpec) (CacheSpec, error) {
	parts := splitOptions(text)
	if _, rest, ok := strings.Cut(parts[0], ","); ok {
		return CacheSpec{}, fmt.Errorf("%w option %q of cache %q: it has no value; a path with a comma in it is given in a spec or in larder.toml", caches.ErrInvalid, rest, text)
	}
	name, path, hasPath := strings.Cut(parts[0], "=")
	spec := defaults
	spec.Name, spec.Mode = name, mode
	if hasPath {
		spec.Path = path
	}
	if spec.Path == "" {
		return CacheSpec{}, fmt.Errorf("%w cache %q: no path; write NAME=PATH, such as mypy=.mypy_cache, or give the path in larder.toml", caches.ErrInvalid, text)
	}
	for _, part := range parts[1:] {
		if err := spec.setOption(part); err != nil {
			return CacheSpec{}, fmt.Errorf("cache %s: %w", name, err)
		}
	}
	return spec, nil
}

// splitOptions splits at the commas that begin a new NAME=VALUE.
func splitOptions(text string) []string {
	var parts []string
	for i, part := range strings.Split(text, ",") {
		if i == 0 || strings.Contains(part, "=") {
			parts = append(parts, part)
			continue
		}
		parts[len(parts)-1] += "," + part
	}
	return parts
}

func (spec *CacheSpec) setOption(text string) error {
	name, value, _ := strings.Cut(text, "=")
	if value == "" {
		return fmt.Errorf("%w option %q: it has no value", caches.ErrInvalid, text)
	}
	switch name {
	case "scope":
		spec.Scope = value
	case "key":
		spec.Key = value
	case "publish":
		spec.Publish = value
	case "on-conflict":
		spec.OnConflict = value
	case "keep":
		keep, err := strconv.Atoi(value)
		if err != nil || keep < 1 {
			return fmt.Errorf("%w option %q: keep takes a whole number above zero", caches.ErrInvalid, text)
		}
		spec.Keep = keep
	case "lock":
		if value != "true" && value != "false" {
			return fmt.Errorf("%w option %q: use lock=true, or lock=false", caches.ErrInvalid, text)
		}
		spec.Lock = value == "true"
	case "unit":
		spec.Unit = value
	case "share":
		spec.Share = value
	default:
		return fmt.Errorf("%w option %q: there are scope, key, publish, on-conflict, lock, unit, share and keep", caches.ErrInvalid, text)
	}
	return nil
}
