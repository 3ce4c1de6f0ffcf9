package caches

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// ScopeKind says who shares a cache of one name.
type ScopeKind uint8

const (
	// ScopeRepo gives each repository root a sub-cache of its own.
	ScopeRepo ScopeKind = iota + 1
	// ScopeGlobal shares one cache among all users of the store.
	ScopeGlobal
	// ScopeCustom shares one cache among all who give the same string.
	ScopeCustom
)

// Scope is who shares a cache: a kind and, for a repository its root, for a
// custom scope its string. It is comparable.
type Scope struct {
	kind   ScopeKind
	detail string
}

// RepoScope is the scope of the repository at root, an absolute path with its
// symbolic links resolved.
func RepoScope(root string) Scope { return Scope{ScopeRepo, root} }

// GlobalScope is the scope that everybody on the store shares.
func GlobalScope() Scope { return Scope{kind: ScopeGlobal} }

// CustomScope is the scope of all who say the same text.
func CustomScope(text string) Scope { return Scope{ScopeCustom, text} }

// Kind returns which sort of scope it is; zero for a Scope that was not set.
func (s Scope) Kind() ScopeKind { return s.kind }

// Detail returns the repository root or the custom string.
func (s Scope) Detail() string { return s.detail }

// String returns "repo", "global" or the custom string: what a user wrote.
func (s Scope) String() string {
	switch s.kind {
	case ScopeRepo:
		return "repo"
	case ScopeGlobal:
		return "global"
	}
	return s.detail
}

// Ref identifies one cache instance in a store. It is comparable.
type Ref struct {
	Name  Name
	Mode  Mode
	Scope Scope
	Key   string // free text of the user's: tool version, platform, options
	// Live says that all actions write to one directory at once, which is a
	// cache of its own beside the one with generations.
	Live bool
}

// ID is a name for the instance that is unique in a store and safe as one path
// component: 32 hexadecimal digits of a SHA-256 over every part of the Ref.
func (r Ref) ID() string {
	parts := []string{r.Name.String(), r.Mode.String(), fmt.Sprint(r.Scope.kind), r.Scope.detail, r.Key}
	if r.Live {
		parts = append(parts, "live")
	}
	var text strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&text, "%d:%s,", len(part), part)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:16])
}

// String describes the instance to a person: "mypy (mutable, repo /src/app)",
// and "live" for one that is shared live.
func (r Ref) String() string {
	scope := r.Scope.String()
	if r.Scope.kind == ScopeRepo {
		scope += " " + r.Scope.detail
	}
	text := fmt.Sprintf("%s (%s, %s", r.Name, r.Mode, scope)
	if r.Key != "" {
		text += ", key " + r.Key
	}
	if r.Live {
		text += ", live"
	}
	return text + ")"
}
