package cas

import (
	"context"
	"errors"

	"larder/digest"
)

// HasTree reports whether every blob of the tree at root is there, the
// directories themselves included. Only the directories are read.
func (s *Store) HasTree(ctx context.Context, root digest.Digest) (bool, error) {
	whole := true
	err := digest.Walk(ctx, s, root, func(_ string, entry digest.Entry) error {
		if entry.Kind == digest.KindFile && !s.Has(entry.Digest) {
			whole = false
			return errStop
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop), errors.Is(err, ErrMissing), errors.Is(err, ErrCorrupt):
		return false, nil
	case err != nil:
		return false, err
	}
	return whole, nil
}

var errStop = errors.New("stop")
