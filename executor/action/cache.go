package action

import (
	"slices"
	"strings"

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
	Keep       int // generations kept for rollback, the head among them
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
	return caches.Ref{Name: c.Name, Mode: c.Mode, Scope: c.Scope.Resolve(repository), Key: c.Key}
}

// defaultKeep is how many generations stay when nothing is said.
const defaultKeep = 2

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
		v.keep(err)
	}
	if spec.OnConflict != "" {
		cache.OnConflict, err = caches.ParseConflict(spec.OnConflict)
		v.keep(err)
	}
	cache.Key, cache.Scope, cache.Keep = spec.Key, defaultScope(spec.Scope, cache.Mode), defaultKeep
	if spec.Keep != 0 {
		cache.Keep = spec.Keep
	}
	if cache.Keep < 1 {
		v.refuse("cache %s: keep=%d; keep at least one generation", spec.Name, spec.Keep)
	}
	return cache
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
