// Package upkeep looks after a store as a whole: what takes how much room
// ([Store.Usage]), what may go when there is too little of it ([Store.Prune],
// [Store.Auto]), and whether every byte is as it was written ([Store.Verify]).
//
// # What goes, and in which order
//
// First goes what nobody can use: run folders, temporary files and trash of
// processes that died, layers that no cache names, results that are damaged,
// sandboxes that were kept for more than a day.
// When that is not enough, generations that are kept only for a rollback. Then
// results, input trees, named caches, payloads and indexes, whatever was last
// used longest ago; a result or a tree takes with it the blobs that no other
// needs, and blobs that nothing needs go by their own last use.
//
// # What never goes
//
// What a live process uses. Named caches, trees, payloads and run folders are
// held by kernel locks; blobs and results by the rule of epochs, see
// [caches.Layout.NextEpoch]. Pruning takes locks without waiting: what it does
// not get is in use and stays. Nor does it ever touch a part of the store in a
// format that this version does not know, unless it is told to.
//
// # What may be shared, and what a crash leaves
//
// Any number of processes may look after one store while others run actions in
// it. A result goes before its blobs, a head before its layers, each by one
// rename or removal; a crash leaves trash, which the next pruning deletes.
package upkeep

import (
	"strings"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/named"
	"larder/caches/payload"
)

// Store looks after one store. It holds no state and may be used by many
// goroutines and processes.
type Store struct {
	layout   caches.Layout
	named    *named.Store
	payloads *payload.Store
	journal  *journal.Journal
}

// Open returns the upkeep of the store at layout; what is removed is logged in
// events, which may be nil. It does no work.
func Open(layout caches.Layout, events *journal.Journal) *Store {
	return &Store{layout, named.Open(layout, events), payload.Open(layout, events), events}
}

// Kind is what a part of the store is for.
type Kind string

const (
	// Caches are named caches, with their history.
	Caches Kind = "named caches"
	// Results are kept answers, without the blobs that they name.
	Results Kind = "results"
	// Blobs are the bytes of inputs, outputs and logs of actions.
	Blobs Kind = "blobs"
	// Trees are laid out inputs, beyond the blobs that they are links to.
	Trees Kind = "input trees"
	// Payloads are local copies of payloads.
	Payloads Kind = "payloads"
	// Logs are the log and the tallies of what happened.
	Logs Kind = "logs"
	// Indexes spare the reading of files that did not change.
	Indexes Kind = "indexes"
	// Temporary is what belongs to processes: run folders, files on their way.
	Temporary Kind = "temporary files"
	// Kept are sandboxes that were kept for a look after their run.
	Kept Kind = "kept sandboxes"
	// OldFormats are parts in a format of another version of larder.
	OldFormats Kind = "other formats"
	// Rest is what a store has beside: its marker, locks, directories.
	Rest Kind = "the rest"
)

// One is the name of one thing of the kind.
func (k Kind) One() string {
	if k == Indexes {
		return "index"
	}
	if k == Kept {
		return "kept sandbox"
	}
	return strings.TrimSuffix(string(k), "s")
}

// Problem is something of the store that could not be looked at or removed, or
// that is damaged.
type Problem struct {
	Path string
	Err  error
}

// Error names the path.
func (p Problem) Error() string { return p.Path + ": " + p.Err.Error() }

// Unwrap gives the cause.
func (p Problem) Unwrap() error { return p.Err }
