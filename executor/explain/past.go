// Package explain says why an action ran instead of being answered from kept
// results, and how two actions differ. What they were made of it finds in kept
// results, and in the records of the last runs, see [results.Last]: both are
// advice, so where one is gone, that is what it says.
package explain

import (
	"context"
	"errors"
	"fmt"

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
	record, err := p.Kept.Peek(key)
	if err != nil {
		return compare.Action{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if record.Command == nil {
		return compare.Action{}, fmt.Errorf("%w: its result was kept by an earlier version of larder", ErrUnknown)
	}
	return compare.Decode(key.Function(), record.Action, record.Command)
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
