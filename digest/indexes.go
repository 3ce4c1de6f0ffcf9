package digest

import (
	"errors"
	"sync"
)

// Indexes keeps stat indexes in memory, by their files, for a process that scans
// many times: each is loaded once, and saved when the process says so. It may be
// used by many goroutines. A nil *Indexes keeps nothing: then each scan loads and
// saves for itself.
type Indexes struct {
	mu   sync.Mutex
	open map[string]*Index
}

// NewIndexes returns Indexes that keep what they load.
func NewIndexes() *Indexes { return &Indexes{open: map[string]*Index{}} }

// Load returns the index in file, see [LoadIndex]. A file is always asked for
// with the same hash function.
func (x *Indexes) Load(file string, fn Function) *Index {
	if x == nil {
		return LoadIndex(file, fn)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, loaded := x.open[file]; !loaded {
		x.open[file] = LoadIndex(file, fn)
	}
	return x.open[file]
}

// Done saves an index as [Index.Save] does, unless it is kept for more.
func (x *Indexes) Done(index *Index, write func([]byte) error) error {
	if x != nil {
		return nil
	}
	return index.Save(write)
}

// Save saves all that are kept, each with its file.
func (x *Indexes) Save(write func(file string, data []byte) error) error {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var failed []error
	for file, index := range x.open {
		failed = append(failed, index.Save(func(data []byte) error { return write(file, data) }))
	}
	return errors.Join(failed...)
}
