package named

import "larder/caches"

// Result says how a checkout ended.
type Result string

const (
	// Published says that the private layer became part of a new head, and of a
	// live cache that what was written is there.
	Published Result = "published"
	// Unchanged says that there was nothing to publish; the head is as it was.
	Unchanged Result = "unchanged"
	// Merged says that the head had moved and both changes are in the new head.
	Merged Result = "merged"
	// Replaced says that the head had moved and the new head is the whole
	// snapshot of this checkout.
	Replaced Result = "replaced"
	// Discarded says that the private layer was given up.
	Discarded Result = "discarded"
	// Failed says that publishing broke off; the head is as it was.
	Failed Result = "failed"
)

// Violation is a change that the mode of the cache does not allow. It was
// dropped; the rest of the private layer was published.
type Violation struct {
	Path string `json:"path"`
	// Kind is "modified", "deleted", "truncated", "replaced" (by another kind
	// of file), "mode", "special" (a FIFO, a socket or a device) or "unit" (a
	// unit that was there already, or of which something was dropped).
	Kind string `json:"kind"`
}

// Outcome is what became of a checkout. Added, Changed and Removed count paths
// in the private layer that are plain files, symbolic links or removals; a
// directory that was removed counts once.
type Outcome struct {
	Result     Result
	Before     string // the generation that was checked out; "" for an empty cache
	After      string // the head afterwards, as far as this checkout knows
	Added      int
	Changed    int
	Removed    int
	Duplicates int // paths written with the content that was there already
	Violations []Violation
	Conflicts  []string // paths that another publisher changed first, differently
}

// PublishOptions say how to publish. The zero value merges and keeps two
// generations.
type PublishOptions struct {
	// OnConflict is for mutable caches whose head moved.
	OnConflict caches.ConflictPolicy
	// Keep is how many generations stay for a rollback, the head among them;
	// 0 means [caches.DefaultKeep].
	Keep int
	// Unit is for append-only caches: a directory whose path matches this
	// pattern is added whole or not at all. "" means none.
	Unit string
	// Listed writes the listing of the new layer in any case, and deletes what nobody
	// needs any more, for a store that no process looks after in the background, and for
	// a private layer whose files somebody else has links to.
	// Otherwise only a small layer gets its listing from the publish, what is to be
	// deleted is only moved out of sight, and a [Tender] does the rest.
	Listed bool
}
