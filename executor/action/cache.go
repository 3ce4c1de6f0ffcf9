package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"larder/caches"
)

// Cache is a checked declaration of a named cache.
type Cache struct {
	Name       caches.Name
	Mode       caches.Mode
	Path       Path
	Scope      ScopeChoice
	Key        string
	Publish    caches.PublishPolicy
	OnConflict caches.ConflictPolicy
	Keep       int    // generations kept for rollback, the head among them
	Lock       bool   // one action at a time holds the cache
	Unit       string // a directory that matches is added whole or not at all; "" is none
	Live       bool   // all actions write to one directory, with no generations
}

// ScopeChoice is a scope as it was written, before "repo" is resolved to the
// repository of the root: "repo", "global" or a string of the user's own.
type ScopeChoice string

// Resolve returns the scope for an action whose repository is at repository.
func (c ScopeChoice) Resolve(repository string) caches.Scope {
	switch c {
	case "repo":
		return caches.RepoScope(repository)
	case "global":
		return caches.GlobalScope()
	}
	return caches.CustomScope(string(c))
}

// Ref returns the instance that the declaration means for an action whose
// repository is at repository.
func (c Cache) Ref(repository string) caches.Ref {
	return caches.Ref{Name: c.Name, Mode: c.Mode, Scope: c.Scope.Resolve(repository), Key: c.Key, Live: c.Live}
}

// same reports whether two declarations mean one instance, whatever the
// repository is.
func (c Cache) same(other Cache) bool {
	return c.Name == other.Name && c.Mode == other.Mode && c.Scope == other.Scope && c.Key == other.Key && c.Live == other.Live
}

func (v *validator) caches(specs []CacheSpec) []Cache {
	var declared []Cache
	for _, spec := range specs {
		declared = append(declared, v.cache(spec))
	}
	slices.SortStableFunc(declared, func(a, b Cache) int { return strings.Compare(a.Path.text, b.Path.text) })
	return declared
}

func (v *validator) cache(spec CacheSpec) Cache {
	var cache Cache
	var err error
	cache.Name, err = caches.ParseName(spec.Name)
	v.keep(err)
	cache.Mode, err = caches.ParseMode(spec.Mode)
	v.keep(err)
	cache.Path, err = ParsePath("cache "+spec.Name, spec.Path)
	v.keep(err)
	cache.Publish = caches.DefaultPublish()
	if spec.Publish != "" {
		cache.Publish, err = caches.ParsePublish(spec.Publish)
		v.keepFor(spec.Name, err)
	}
	if spec.OnConflict != "" {
		cache.OnConflict, err = caches.ParseConflict(spec.OnConflict)
		v.keepFor(spec.Name, err)
	}
	cache.Key, cache.Scope, cache.Keep = spec.Key, defaultScope(spec.Scope, cache.Mode), caches.DefaultKeep
	if spec.Keep != 0 {
		cache.Keep = spec.Keep
	}
	if cache.Keep < 1 {
		v.refuse("cache %s: keep=%d; keep at least one generation", spec.Name, spec.Keep)
	}
	cache.Lock, cache.Unit = spec.Lock, v.unit(spec, cache.Mode)
	cache.Live = v.live(spec)
	return cache
}

// keepFor says of which cache an error is that names only the option.
func (v *validator) keepFor(cache string, err error) {
	if err != nil {
		v.keep(fmt.Errorf("cache %s: %w", cache, err))
	}
}

func (v *validator) unit(spec CacheSpec, mode caches.Mode) string {
	switch {
	case spec.Unit == "":
	case mode == caches.Mutable:
		v.refuse("cache %s: unit=%s: only an append-only cache takes units; a mutable one is swapped as a whole anyway", spec.Name, spec.Unit)
	case !doublestar.ValidatePattern(spec.Unit):
		v.refuse("cache %s: unit=%s is no glob; write a pattern for directories in the cache, such as unit=pkg/*", spec.Name, spec.Unit)
	}
	return spec.Unit
}

// live: with nothing to publish, an option about publishing would promise what
// nobody keeps. The exit codes of publish= stay: they also say which answers of
// the command are good ones.
func (v *validator) live(spec CacheSpec) bool {
	switch spec.Share {
	case "":
		return false
	case "live":
	default:
		v.refuse("cache %s: share=%s: there is share=live only", spec.Name, spec.Share)
	}
	for _, option := range []struct {
		name  string
		given bool
	}{{"lock", spec.Lock}, {"unit", spec.Unit != ""}, {"on-conflict", spec.OnConflict != ""}, {"keep", spec.Keep != 0}} {
		if option.given {
			v.refuse("cache %s: %s and share=live: all actions write to one directory at once and nothing is published; leave one of the two out", spec.Name, option.name)
		}
	}
	return true
}

// defaultScope: a mutable cache holds state that belongs to one source tree, an
// append-only one holds entries that name their own content.
func defaultScope(text string, mode caches.Mode) ScopeChoice {
	switch {
	case text != "":
		return ScopeChoice(text)
	case mode == caches.Mutable:
		return "repo"
	}
	return "global"
}
