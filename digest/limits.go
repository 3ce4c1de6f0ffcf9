package digest

import "fmt"

const (
	// maxDepth is how deep a tree may be, in directories.
	maxDepth = 1000
	// maxEntries is how many entries an operation looks at before it gives up: a
	// few small messages that repeat each other can describe more than any disk
	// holds.
	maxEntries = 10_000_000
	// maxMessage is how long a message may be; a million files in one directory
	// take half of it.
	maxMessage = 256 << 20
)

// bounds counts what an operation has looked at.
type bounds struct{ entries int }

func (b *bounds) entry() error {
	if b.entries++; b.entries > maxEntries {
		return fmt.Errorf("%w: more than %d entries", ErrTree, maxEntries)
	}
	return nil
}

func checkDepth(path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: %q is more than %d directories deep", ErrTree, clip(path), maxDepth)
	}
	return nil
}
