package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"larder/caches/layers"
)

// autoEvery is how long [Store.Auto] leaves the store alone after it has looked
// at it; autoLimit is how long it may take.
const (
	autoEvery = time.Hour
	autoLimit = 10 * time.Minute
)

// autoRoom is the part of the largest size that an automatic cleaning makes
// free, so that the next run does not make the next one due: one in so many.
const autoRoom = 10

// Auto keeps the store within maxSize bytes, once an hour at most; below zero is
// no limit, and then it only removes what died with its process. A store that is
// too large is brought a tenth below. In a store of a group each user has an hour
// of its own: nobody can remove what others have put there. It is for a process that nobody waits for:
// it looks at every file. It does nothing, and reports nothing, when another
// process cleans or the hour is not over.
func (s *Store) Auto(ctx context.Context, maxSize int64) (Report, error) {
	stamp := filepath.Join(s.layout.Uses(), "cleaned"+s.layout.Owner())
	lock, err := layers.TryMake(stamp)
	if errors.Is(err, layers.ErrLocked) {
		return Report{}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("clean the store: %w", err)
	}
	defer lock.Close()
	info, err := os.Stat(stamp)
	if err != nil {
		return Report{}, err
	}
	// A time to come is from before somebody set the clock back.
	if since := time.Since(info.ModTime()); since >= 0 && since < autoEvery {
		return Report{}, nil
	}
	now := time.Now()
	if err := os.Chtimes(stamp, now, now); err != nil {
		return Report{}, fmt.Errorf("clean the store: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, autoLimit)
	defer cancel()
	limits := NoLimits()
	limits.MaxSize, limits.room = maxSize, maxSize/autoRoom
	return s.Prune(ctx, limits, nil)
}
