// Package caches holds the vocabulary that every cache of larder shares:
// names, modes, scopes, references, publish policies, the layout of the store
// on disk, the one function that replaces a stored file, and the errors that
// somebody decides on. It holds no behaviour of any one kind of cache.
//
// A named cache is identified by a [Ref]: its name, its mode, its resolved
// scope and its key. Two refs that differ in any part never share content.
package caches

import (
	"errors"
	"fmt"
)

// ErrInvalid marks a request that is wrong in itself: a bad name, option or
// path. Trying again does not help; the message says what to change.
var ErrInvalid = errors.New("invalid")

// Name is the name of a cache: [a-z0-9][a-z0-9_.-]{0,63}. Only [ParseName]
// makes one, so a Name in hand is valid and safe as one path component.
type Name struct{ text string }

// ParseName checks text and returns it as a Name.
func ParseName(text string) (Name, error) {
	if !validName(text) {
		return Name{}, fmt.Errorf("%w cache name %q: a name has 1 to 64 characters, lower-case letters, digits, '_', '.' or '-', and starts with a letter or digit", ErrInvalid, text)
	}
	return Name{text}, nil
}

func validName(text string) bool {
	if len(text) == 0 || len(text) > 64 {
		return false
	}
	for i, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// String returns the name as it was written.
func (n Name) String() string { return n.text }

// Mode says what a publish may do to a cache.
type Mode uint8

const (
	// AppendOnly caches gain paths and never change or lose one.
	AppendOnly Mode = iota + 1
	// Mutable caches are replaced as a whole, by one atomic swap of the head.
	Mutable
)

// ParseMode reads "append-only" or "mutable".
func ParseMode(text string) (Mode, error) {
	switch text {
	case "append-only":
		return AppendOnly, nil
	case "mutable":
		return Mutable, nil
	}
	return 0, fmt.Errorf("%w cache mode %q: use append-only or mutable", ErrInvalid, text)
}

// String returns the spelling that [ParseMode] reads.
func (m Mode) String() string {
	switch m {
	case AppendOnly:
		return "append-only"
	case Mutable:
		return "mutable"
	}
	return "unknown"
}
