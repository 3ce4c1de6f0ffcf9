package caches

import "fmt"

// CopyPolicy says when a payload is copied to the disk of the store.
type CopyPolicy uint8

const (
	// CopyRemote copies what is on a file system of another machine. It is the
	// default.
	CopyRemote CopyPolicy = iota
	// CopyAlways copies what is local already, too.
	CopyAlways
	// CopyNever makes no copy; one that is there already is used.
	CopyNever
)

// ParseCopy reads "remote", "always" or "never".
func ParseCopy(text string) (CopyPolicy, error) {
	switch text {
	case "remote":
		return CopyRemote, nil
	case "always":
		return CopyAlways, nil
	case "never":
		return CopyNever, nil
	}
	return 0, fmt.Errorf("%w copy policy %q: use remote, always or never", ErrInvalid, text)
}
