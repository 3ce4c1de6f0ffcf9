package named

import (
	"larder/caches"
	"larder/caches/journal"
)

// mostLogged bounds the violations of one publish that get a line of their own.
const mostLogged = 20

// recordCheckout writes down that a cache was checked out.
func (c *Checkout) recordCheckout() {
	c.in.count(journal.Counts{journal.Checkouts: 1})
	c.in.store.journal.Log("checkout", "cache", c.in.ref.String(), "generation", c.Generation())
}

// recordEnd writes down how a checkout ended, by a publish or a discard.
func (c *Checkout) recordEnd(event string, outcome Outcome, problem error) {
	c.in.count(c.counts(outcome))
	facts := []any{
		"cache", c.in.ref.String(), "outcome", string(outcome.Result), "before", outcome.Before, "after", outcome.After,
		"added", outcome.Added, "changed", outcome.Changed, "removed", outcome.Removed, "bytes", c.bytes,
		"duplicates", outcome.Duplicates, "violations", len(outcome.Violations), "conflicts", len(outcome.Conflicts),
	}
	if problem != nil {
		c.in.store.journal.Warn(event, append(facts, "problem", problem)...)
	} else {
		c.in.store.journal.Log(event, facts...)
	}
	for _, violation := range outcome.Violations[:min(len(outcome.Violations), mostLogged)] {
		c.in.store.journal.Warn("violation", "cache", c.in.ref.String(), "path", violation.Path, "kind", violation.Kind)
	}
}

// counts is what an ended checkout adds to the tally of its cache.
func (c *Checkout) counts(outcome Outcome) journal.Counts {
	counts := journal.Counts{counterOf(outcome.Result): 1}
	for counter, n := range map[journal.Counter]int64{
		journal.Violations: int64(len(outcome.Violations)), journal.Conflicts: int64(len(outcome.Conflicts)),
		journal.Duplicates: int64(outcome.Duplicates),
	} {
		if n > 0 {
			counts[counter] = n
		}
	}
	switch outcome.Result {
	case Published, Merged, Replaced:
		counts[journal.Bytes] = c.bytes
	}
	return counts
}

// counterOf is the counter of a result.
func counterOf(result Result) journal.Counter {
	switch result {
	case Published:
		return journal.Publishes
	case Merged:
		return journal.Merges
	case Replaced:
		return journal.Replacements
	case Unchanged:
		return journal.Unchanged
	case Discarded:
		return journal.Discards
	}
	return journal.Failures
}

func (i instance) count(counts journal.Counts) {
	i.store.journal.Count(journal.CacheSubject(i.ref), counts)
}

// recordRemoval writes down that a cache was removed; its tally goes with it.
func (i instance) recordRemoval() {
	i.store.journal.Log("remove", "cache", i.ref.String())
	i.store.journal.Forget(i.subject())
}

// subject is the same for a cache of which only the folder can be read.
func (i instance) subject() journal.Subject {
	subject := journal.Subject{Kind: journal.KindCache, ID: i.id}
	if i.ref != (caches.Ref{}) {
		subject.Name = i.ref.String()
	}
	return subject
}
