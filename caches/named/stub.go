package named

import (
	"context"

	"larder/caches"
)

// Publish stub.
func (c *Checkout) Publish(ctx context.Context, options PublishOptions) (Outcome, error) {
	return Outcome{}, nil
}

// Status says in which condition a cache is.
type Status string

const (
	// Cached says that the cache is whole and nobody uses its head.
	Cached Status = "cached"
	// InUse says that somebody holds a lease on the head.
	InUse Status = "in-use"
	// Corrupt says that the cache is damaged and counts as empty.
	Corrupt Status = "corrupt"
)

// Row ...
type Row struct {
	ID                  string
	Ref                 caches.Ref
	Head                string
	Generations, Layers int
	Entries, Bytes      int64
	Status              Status
	Problem             error
}

// Generation ...
type Generation struct{ ID string }

// Removal ...
type Removal struct{ Removed, Skipped []Row }

// Compact ...
func (s *Store) Compact(ctx context.Context, ref caches.Ref) error { return nil }

// List ...
func (s *Store) List(pattern string) ([]Row, error) { return nil, nil }

// Rollback ...
func (s *Store) Rollback(ctx context.Context, ref caches.Ref, generation string) (Generation, error) {
	return Generation{}, nil
}

// History ...
func (s *Store) History(ref caches.Ref) ([]Generation, error) { return nil, nil }

// Remove ...
func (s *Store) Remove(ctx context.Context, pattern string) (Removal, error) { return Removal{}, nil }
