package digest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrPolicy marks a word that names no [Policy].
var ErrPolicy = errors.New("unknown policy")

// Policy says what becomes of a path that producers of a [Merge] disagree on.
type Policy uint8

const (
	// PolicyError refuses the merge. It is the default.
	PolicyError Policy = iota
	// PolicyTolerate keeps what the first of them has, and lists the collision.
	PolicyTolerate
	// PolicyFirst keeps what the first of them has, and only counts it.
	PolicyFirst
	// PolicyLast keeps what the last of them has, and only counts it.
	PolicyLast
)

// ParsePolicy reads "error", "tolerate", "first" or "last".
func ParsePolicy(text string) (Policy, error) {
	for p := PolicyError; p <= PolicyLast; p++ {
		if p.String() == text {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%w %q: use error, tolerate, first or last", ErrPolicy, clip(text))
}

// String returns the spelling that [ParsePolicy] reads.
func (p Policy) String() string {
	switch p {
	case PolicyError:
		return "error"
	case PolicyTolerate:
		return "tolerate"
	case PolicyFirst:
		return "first"
	case PolicyLast:
		return "last"
	}
	return "unknown"
}

// choose returns which of the claims stays, or -1 for none. Claims are in the
// order of the first producer of each.
func (p Policy) choose(claims []claim) int {
	switch p {
	case PolicyTolerate, PolicyFirst:
		return 0
	case PolicyLast:
		last := 0
		for i := range claims {
			if slices.Max(claims[i].producers) > slices.Max(claims[last].producers) {
				last = i
			}
		}
		return last
	}
	return -1
}

// PathPolicy is a policy for the paths that a pattern matches: a glob in
// gitignore syntax, which for a directory stands for all below it as well; `.`
// is every path. Of several, the last that matches a path decides.
type PathPolicy struct {
	Pattern string
	Policy  Policy
}

// CheckPolicies says what is wrong with policies before there are trees: it wraps
// ErrPolicy or ErrPattern, as [Merge] would.
func CheckPolicies(policies []PathPolicy) error {
	_, err := compilePolicies(policies)
	return err
}

// compilePolicies makes the patterns of policies a selection.
func compilePolicies(policies []PathPolicy) (*selection, error) {
	var patterns []string
	for _, one := range policies {
		if one.Policy > PolicyLast {
			return nil, fmt.Errorf("%w %d for %q", ErrPolicy, one.Policy, one.Pattern)
		}
		if strings.HasPrefix(one.Pattern, "!") {
			return nil, fmt.Errorf("%w %q: a policy has no !; give those paths the policy error", ErrPattern, one.Pattern)
		}
		patterns = append(patterns, one.Pattern)
	}
	return newSelection(patterns, nil)
}

// Collision is one path at which producers have different things.
type Collision struct {
	Path string
	// Policy is what decided.
	Policy Policy
	// Claims has what there is, each once, in the order of the first producer
	// of each. There are two at least.
	Claims []Claim
	// Kept is the one of the claims that stays, or -1 for none.
	Kept int
}

// Claim is one of the things that producers have at a path.
type Claim struct {
	Entry     Entry
	Producers []string // by name, in the order in which they were given
}

// CollisionError says that trees cannot be merged. It wraps [ErrCollision].
type CollisionError struct {
	// Collisions has all of them, in the order of [ComparePaths].
	Collisions []Collision
	// Incomplete is set when there were so many that the merge was given up:
	// millions of claims, as only trees made for that have.
	Incomplete bool
}

// Unwrap returns [ErrCollision].
func (e *CollisionError) Unwrap() error { return ErrCollision }

// Bounds of messages; the fields of the error are complete.
const (
	shownCollisions = 20
	shownNames      = 8
)

// Error is a line that says how many collisions there are, and then the first of
// them, as many as a log can take. Whoever has to see all prints Collisions.
func (e *CollisionError) Error() string {
	var text strings.Builder
	word := "paths collide"
	if len(e.Collisions) == 1 {
		word = "path collides"
	}
	if e.Incomplete {
		word += ", and then the merge was given up"
	}
	fmt.Fprintf(&text, "%d %s", len(e.Collisions), word)
	for _, one := range e.Collisions[:min(len(e.Collisions), shownCollisions)] {
		text.WriteString("\n" + one.String())
	}
	if more := len(e.Collisions) - shownCollisions; more > 0 {
		fmt.Fprintf(&text, "\nand %d more", more)
	}
	return text.String()
}

// String is the path, and a line for each claim: what it is and whose. Nothing is
// left out.
func (c Collision) String() string {
	var text strings.Builder
	text.WriteString(Quote(c.Path))
	for _, one := range c.Claims {
		fmt.Fprintf(&text, "\n    %s from %s", one.Entry.describe(), quoted(one.Producers))
	}
	return text.String()
}

// quoted lists names, all of them.
func quoted(names []string) string {
	var text strings.Builder
	for i, name := range names {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(Quote(name))
	}
	return text.String()
}

// describe says what an entry is, without its path.
func (e Entry) describe() string {
	switch {
	case e.Kind == KindSymlink:
		return "symlink to " + Quote(e.Target)
	case e.Executable:
		return "executable file " + e.Digest.String()
	case e.Kind == KindDirectory && e.Digest.Size() == 0:
		return "empty directory " + e.Digest.String()
	}
	return e.Kind.String() + " " + e.Digest.String()
}

// listed lists the first names, and says how many more there are.
func listed(names []string) string {
	text := quoted(names[:min(len(names), shownNames)])
	if more := len(names) - shownNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Quote returns a path, or other outside text, as a line of output shows it: as
// it is, or quoted in the manner of Go when it has quotes, backslashes, line
// ends or what does not print.
func Quote(text string) string {
	quoted := strconv.Quote(text)
	if quoted[1:len(quoted)-1] == text {
		return text
	}
	return quoted
}
