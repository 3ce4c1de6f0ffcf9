// Package explain says why an action ran instead of being answered from kept
// results, and how two actions differ. What they were made of it finds in kept
// results, and in the records of the last runs, see [results.Last]: both are
// advice, so where one is gone, that is what it says.
package explain

import (
	"context"
	"errors"

	"larder/caches/results"
	"larder/digest"
	"larder/executor/action/compare"
)

// ErrUnknown says that nothing is known (any more) about what an action was made
// of.
var ErrUnknown = errors.New("no action with this key is known")

// Past finds what actions were made of. It is safe for use by many goroutines.
type Past struct {
	Kept results.Files
	// Trees reads the directories of input trees.
	Trees digest.Source
}

// Action returns the action of a key, or an error that wraps [ErrUnknown].
func (p Past) Action(key digest.Digest) (compare.Action, error) {
	if record, err := p.Kept.Peek(key); err == nil && record.Command != nil {
		return compare.Decode(key.Function(), record.Action, record.Command)
	}
	if last, ok := p.Kept.FindLast(key.String()); ok {
		return compare.Decode(key.Function(), last.Action, last.Command)
	}
	return compare.Action{}, ErrUnknown
}

// Differences lists what differs between two actions, and where the input trees
// do, within bounds. It fails only when ctx ends.
func (p Past) Differences(ctx context.Context, before, after compare.Action, bounds compare.Bounds) ([]compare.Difference, error) {
	differences := compare.Actions(before, after)
	for i := range differences {
		if differences[i].Component != compare.Inputs {
			continue
		}
		trees, err := compare.Trees(ctx, p.Trees, before.Input, after.Input, bounds)
		if err != nil {
			return nil, err
		}
		differences[i].Trees = trees
	}
	return differences, nil
}
