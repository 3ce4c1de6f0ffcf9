package results

import (
	"context"

	"larder/caches/journal"
	"larder/digest"
)

// Counted is a [Checked] whose lookups are counted, as hits and misses of one
// place where results are kept.
type Counted struct {
	Checked
	place journal.Subject
	to    *journal.Journal
}

// NewCounted counts lookups in kept under the name of a place, such as "local".
// The journal may be nil.
func NewCounted(place string, kept Checked, to *journal.Journal) Counted {
	return Counted{kept, journal.ResultsSubject(place), to}
}

// Lookup is [Checked.Lookup]. An answer that cannot be trusted or read is a miss.
func (c Counted) Lookup(ctx context.Context, key digest.Digest) (*Record, Miss, error) {
	record, miss, err := c.Checked.Lookup(ctx, key)
	if record != nil {
		c.to.Count(c.place, journal.Counts{journal.Hits: 1})
		return record, Miss{}, err
	}
	c.to.Count(c.place, journal.Counts{journal.Misses: 1})
	if err != nil {
		c.to.Warn("miss", "results", c.place.ID, "key", key.String(), "problem", err)
	} else {
		c.to.Log("miss", "results", c.place.ID, "key", key.String())
	}
	return record, miss, err
}
