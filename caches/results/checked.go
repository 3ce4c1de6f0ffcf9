package results

import (
	"context"

	"larder/digest"
)

// Blobs tells what of an answer is there: the store's blobs, or a cluster's.
type Blobs interface {
	Has(d digest.Digest) bool
	HasTree(ctx context.Context, root digest.Digest) (bool, error)
}

// Checked hands out only records that can be trusted.
type Checked struct {
	backend Backend
	blobs   Blobs
}

// NewChecked wraps backend; an answer is whole when blobs has all of it.
func NewChecked(backend Backend, blobs Blobs) Checked { return Checked{backend, blobs} }

// Lookup returns the record of key, or nil when there is none, when a blob of
// it is missing, or when a path that it observed has changed; the miss then says
// which.
func (c Checked) Lookup(ctx context.Context, key digest.Digest) (*Record, Miss, error) {
	record, err := c.backend.Load(ctx, key)
	if err != nil || record == nil {
		return nil, Miss{Reason: Absent}, err
	}
	if lost, err := c.lost(ctx, key.Function(), record); err != nil || lost != "" {
		return nil, Miss{LostBlob, lost}, err
	}
	for _, observation := range record.Observed {
		if !observation.Holds(ctx, key.Function()) {
			return nil, Miss{Changed, observation.Path}, nil
		}
	}
	return record, Miss{}, nil
}

// Record keeps the answer of key.
func (c Checked) Record(ctx context.Context, key digest.Digest, record *Record) error {
	return c.backend.Save(ctx, key, record)
}

// lost names a blob, or a tree, that the record needs and that is not there;
// empty is none. A digest that cannot be read makes the record useless, not an
// error.
func (c Checked) lost(ctx context.Context, fn digest.Function, record *Record) (string, error) {
	single, trees, err := record.Needs(fn)
	if err != nil {
		return err.Error(), nil
	}
	for _, d := range single {
		if !c.blobs.Has(d) {
			return d.String(), nil
		}
	}
	for _, root := range trees {
		if whole, err := c.blobs.HasTree(ctx, root); err != nil || !whole {
			return root.String(), err
		}
	}
	return "", nil
}
