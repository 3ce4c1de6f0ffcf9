package results

import (
	"fmt"

	"larder/digest"
)

// Peek reads the record of key as it is, with Action and Command, and without
// looking whether it can be trusted; that does not count as a use of it. The error
// wraps [fs.ErrNotExist] when there is none, and [ErrUseless] when it is damaged.
func (f Files) Peek(key digest.Digest) (*Record, error) {
	record, err := readWhole(f.path(key))
	if err != nil {
		return nil, fmt.Errorf("look at the result of %s: %w", key, err)
	}
	return record, nil
}
