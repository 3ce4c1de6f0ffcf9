package cas

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"

	"larder/digest"
)

// AddTree stores every blob of a tree that was scanned from the host directory
// root, those that it lacks, several at a time.
func (s *Store) AddTree(ctx context.Context, tree *digest.Tree, root string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	entries := make(chan digest.Entry, 64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for entry := range entries {
				if ctx.Err() != nil || s.Has(entry.Digest) {
					continue
				}
				path := filepath.Join(root, entry.Path)
				if err := s.AddFile(ctx, path, entry.Digest, formOf(entry)); err != nil {
					cancel(err)
				}
			}
		})
	}
	for entry := range tree.Entries() {
		if entry.Kind == digest.KindFile {
			entries <- entry
		}
	}
	close(entries)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return s.AddDirectories(ctx, tree.Directories())
}
