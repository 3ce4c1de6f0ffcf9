package local

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/journal"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/caches/results"
	"larder/digest"
	"larder/executor"
)

// ResultsName is the name of the results in a store, in counts and in the log.
const ResultsName = "local"

// Store is an opened store with all that is kept in it: what [executor.New] and
// [New] take. Any number of goroutines and processes may use a store; nothing has
// to be closed, and a crash leaves what the next run removes.
type Store struct {
	Layout   caches.Layout
	Journal  *journal.Journal
	Blobs    *cas.Store
	Named    *named.Store
	Payloads *payload.Store
	// Indexes keeps the stat indexes in memory, for a process that runs many
	// actions, until [Store.SaveIndexes]. When it is nil each action loads and saves
	// them.
	Indexes *digest.Indexes
}

// OpenStore opens the store in a folder, which is made when it is missing. fn is the
// hash function of its digests. An error that [caches.IsFault] knows, of a disk that
// is full or cannot be written, comes with a store: Broken of a [Config] takes it,
// and runs then go on without the store as far as they can.
func OpenStore(folder string, fn digest.Function) (*Store, error) {
	layout, err := caches.OpenLayout(folder)
	if err != nil && !caches.IsFault(err) {
		return nil, err
	}
	to := journal.Open(layout)
	return &Store{Layout: layout, Journal: to, Blobs: cas.Open(layout, fn), Named: named.Open(layout, to), Payloads: payload.Open(layout, to)}, err
}

// Inputs is how inputs are read.
func (s *Store) Inputs() executor.Inputs {
	type named struct{ root, file string }
	var last atomic.Pointer[named] // many actions have one root
	file := func(root string) string {
		one := last.Load()
		if one == nil || one.root != root {
			one = &named{root, s.IndexFile(root)}
			last.Store(one)
		}
		return one.file
	}
	return executor.Inputs{
		Function: s.Blobs.Function(), Trees: s.Blobs, Indexes: s.Indexes, IndexFile: file, WriteIndex: s.writeIndex,
	}
}

// Results is where results are kept.
func (s *Store) Results() executor.Results {
	return results.NewCounted(ResultsName, results.NewChecked(results.NewFiles(s.Layout), s.Blobs), s.Journal)
}

// Config is a configuration of a runner on the store, as a program may have it that
// knows nothing of its user: programs are looked for in the folders of the system,
// and no other process is started, so that publishing looks after the store too.
func (s *Store) Config() Config {
	return Config{
		Layout: s.Layout, Blobs: s.Blobs, Named: s.Named, Journal: s.Journal, Payloads: s.Payloads,
		Path: []string{"/usr/local/bin", "/usr/bin", "/bin"}, ProgramIndex: s.IndexFile("programs"), Indexes: s.Indexes,
		Grace: 5 * time.Second, Untended: true,
	}
}

// IndexFile names the file of the stat index of a root.
func (s *Store) IndexFile(root string) string {
	name := digest.Of(digest.BLAKE3, []byte(root)).Hash()[:32]
	return filepath.Join(s.Layout.Index(), s.Blobs.Function().String()+"-"+name+s.Layout.Owner())
}

// SaveIndexes writes the indexes that are kept in memory. When that fails, the next
// scans are slower and nothing else.
func (s *Store) SaveIndexes() error {
	if err := s.Indexes.Save(s.writeIndex); err != nil {
		return fmt.Errorf("save the stat indexes: %w", err)
	}
	return nil
}

func (s *Store) writeIndex(file string, data []byte) error {
	return s.Layout.WriteFile(file, data, 0o644)
}
