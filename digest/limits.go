package digest

import (
	"context"
	"fmt"
)

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
	// maxTold is how many producers the collisions of one merge name.
	maxTold = 2_000_000
	// maxKnown is how many entries a reader keeps of what it has read.
	maxKnown = 100_000
)

// reader reads the directories of one operation, within the limits. What was
// read lately it knows, so that a tree in which the same directory is in many
// places costs no more than memory.
type reader struct {
	ctx     context.Context
	src     Source
	entries int
	known   map[Digest]Directory
	held    int // entries in known
}

func newReader(ctx context.Context, src Source) *reader {
	return &reader{ctx: ctx, src: src, known: map[Digest]Directory{}}
}

// directory reads the directory at path, which is so many directories deep.
func (r *reader) directory(d Digest, path string, depth int) (Directory, error) {
	if err := checkDepth(path, depth); err != nil {
		return Directory{}, err
	}
	if err := r.ctx.Err(); err != nil {
		return Directory{}, err
	}
	if content, ok := r.known[d]; ok {
		return content, nil
	}
	content, err := readDirectory(r.ctx, r.src, d, path)
	if err != nil {
		return Directory{}, err
	}
	size := 1 + len(content.Files) + len(content.Directories) + len(content.Symlinks)
	if size > maxKnown {
		return content, nil
	}
	if r.held += size; r.held > maxKnown {
		clear(r.known)
		r.held = size
	}
	r.known[d] = content
	return content, nil
}

// count counts one more entry that is looked at.
func (r *reader) count() error {
	if r.entries++; r.entries > maxEntries {
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
