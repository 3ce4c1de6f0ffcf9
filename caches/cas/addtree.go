package cas

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"

	"larder/digest"
)

// AddTree stores every blob of a tree that was scanned from the host directory
// root, those that it lacks, several at a time. A tree that was added from there
// before, in the same epoch, takes no look at each blob.
func (s *Store) AddTree(ctx context.Context, tree *digest.Tree, root string) error {
	record := s.newAdded(tree.Root)
	unsure, some := record.unsure(s.lastAdded(root))
	if !some {
		return nil
	}
	if err := s.addFiles(ctx, tree, root, unsure); err != nil {
		return err
	}
	if err := s.AddDirectories(ctx, tree.Directories()); err != nil {
		return err
	}
	s.writeAdded(root, record)
	return nil
}

// addFiles stores the files of a tree whose blobs belong into these folders.
func (s *Store) addFiles(ctx context.Context, tree *digest.Tree, root string, in folders) error {
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
		if entry.Kind == digest.KindFile && in[folderOf(entry.Digest)] {
			entries <- entry
		}
	}
	close(entries)
	workers.Wait()
	return context.Cause(ctx)
}
