package caches

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PublishPolicy says after which exit codes of the command a cache is
// published. The zero value publishes never; [DefaultPublish] after code 0.
type PublishPolicy struct {
	always bool
	codes  string // sorted, comma-separated, so that the type stays comparable
}

// DefaultPublish publishes after exit code 0 only.
func DefaultPublish() PublishPolicy { return PublishPolicy{codes: "0"} }

// DefaultKeep is how many generations of a cache stay, the head among them,
// when nothing else is said.
const DefaultKeep = 2

// ParsePublish reads "always", "never" or a comma-separated list of exit codes
// between 0 and 255.
func ParsePublish(text string) (PublishPolicy, error) {
	switch text {
	case "always":
		return PublishPolicy{always: true}, nil
	case "never":
		return PublishPolicy{}, nil
	}
	var codes []int
	for _, part := range strings.Split(text, ",") {
		code, err := strconv.Atoi(part)
		if err != nil || code < 0 || code > 255 {
			return PublishPolicy{}, fmt.Errorf("%w publish=%s: %q is not an exit code between 0 and 255; use codes such as publish=0,1, or publish=always, or publish=never", ErrInvalid, text, part)
		}
		codes = append(codes, code)
	}
	slices.Sort(codes)
	var sorted []string
	for _, code := range slices.Compact(codes) {
		sorted = append(sorted, strconv.Itoa(code))
	}
	return PublishPolicy{codes: strings.Join(sorted, ",")}, nil
}

// Allows reports whether a command that ended by itself with code publishes.
func (p PublishPolicy) Allows(code int) bool {
	return p.always || p.Declares(code)
}

// Declares reports whether the policy names code itself, which says that the
// tool uses it as a good answer.
func (p PublishPolicy) Declares(code int) bool {
	return slices.Contains(strings.Split(p.codes, ","), strconv.Itoa(code))
}

// String returns the spelling that [ParsePublish] reads.
func (p PublishPolicy) String() string {
	switch {
	case p.always:
		return "always"
	case p.codes == "":
		return "never"
	}
	return p.codes
}

// ConflictPolicy says what a mutable publish does when the head moved since
// the checkout and both changed the same path to different content.
type ConflictPolicy uint8

const (
	// ConflictMerge keeps both deltas where they touch disjoint paths or equal
	// bytes; where they overlap, the later publisher's whole snapshot wins.
	ConflictMerge ConflictPolicy = iota
	// ConflictReplace always swaps in the later publisher's whole snapshot.
	ConflictReplace
	// ConflictDiscard keeps the head that is there.
	ConflictDiscard
)

// ParseConflict reads "merge", "replace" or "discard".
func ParseConflict(text string) (ConflictPolicy, error) {
	for _, policy := range []ConflictPolicy{ConflictMerge, ConflictReplace, ConflictDiscard} {
		if policy.String() == text {
			return policy, nil
		}
	}
	return 0, fmt.Errorf("%w on-conflict=%s: use merge, replace or discard", ErrInvalid, text)
}

// String returns the spelling that [ParseConflict] reads.
func (p ConflictPolicy) String() string {
	switch p {
	case ConflictReplace:
		return "replace"
	case ConflictDiscard:
		return "discard"
	}
	return "merge"
}
