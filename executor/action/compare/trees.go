package compare

import (
	"context"
	"errors"
	"io/fs"

	"larder/digest"
)

// TreeChanges are the paths at which two input trees differ.
type TreeChanges struct {
	// Paths are the first of them. A directory stands for all in it where the other
	// tree has none, and is left out where it has one.
	Paths []PathChange `json:"paths"`
	// More is how many there are beside, as far as they were counted.
	More int `json:"more,omitempty"`
	// Uncounted says that there are more than that.
	Uncounted bool `json:"uncounted,omitempty"`
	// Unread, when it is not empty, says why not all could be compared: of trees
	// that were used long ago, directories may have been pruned.
	Unread string `json:"unread,omitempty"`
}

// PathChange is one path; a side that has nothing there is nil.
type PathChange struct {
	Path   string `json:"path"`
	Before *Node  `json:"before"`
	After  *Node  `json:"after"`
}

// Node is what a tree has at a path.
type Node struct {
	Kind       string `json:"kind"`             // "file", "directory", "symlink"
	Digest     string `json:"digest,omitempty"` // of a file or a directory
	Executable bool   `json:"executable,omitempty"`
	Target     string `json:"target,omitempty"` // of a symlink
}

// Bounds say how far trees are compared.
type Bounds struct {
	Shown   int // how many paths are told
	Counted int // after how many in all the comparison ends
}

// errEnough ends a comparison.
var errEnough = errors.New("enough")

// Trees compares two trees, whose directories are read from src, those that
// differ only. What cannot be read is said in the answer; only the end of ctx is
// an error.
func Trees(ctx context.Context, src digest.Source, before, after digest.Digest, bounds Bounds) (*TreeChanges, error) {
	found := &TreeChanges{Paths: []PathChange{}}
	count := 0
	err := digest.Diff(ctx, src, before, after, func(change digest.Change) error {
		was, is := change.Before.Kind == digest.KindDirectory, change.After.Kind == digest.KindDirectory
		if was && is {
			return nil
		}
		if count++; count > bounds.Counted {
			return errEnough
		}
		if count <= bounds.Shown {
			found.Paths = append(found.Paths, PathChange{change.Path, nodeOf(change.Before), nodeOf(change.After)})
		}
		if was || is {
			return fs.SkipDir
		}
		return nil
	})
	found.More = max(0, min(count, bounds.Counted)-bounds.Shown)
	switch {
	case errors.Is(err, errEnough):
		found.Uncounted = true
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		found.Unread = err.Error()
	}
	return found, nil
}

func nodeOf(e digest.Entry) *Node {
	if e.Kind == 0 {
		return nil
	}
	return &Node{e.Kind.String(), e.Digest.String(), e.Executable, e.Target}
}
