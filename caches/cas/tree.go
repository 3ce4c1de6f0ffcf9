package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

// TreeOptions say how a tree is laid out. The zero value lays out whole trees
// of blobs that are in the store.
type TreeOptions struct {
	// Origin finds blobs that the store does not have yet; nil knows none.
	Origin Origin
	// Near names a series of trees that are like each other, such as those of
	// one root and one selection, in any words. A tree that differs little from
	// the last whole one of its series becomes a delta on that. "" is no series.
	Near string
}

// Origin finds the bytes of a blob that the store does not have yet, as a host
// file. It returns false for a digest that it does not know.
type Origin func(d digest.Digest) (path string, ok bool)

// maxRounds is how often a tree is made again when it is pruned away between
// being made and being found.
const maxRounds = 10

// Tree returns the tree as a stack of layers, bottom first, made when it is not
// there yet: hard links to blobs, with the modes 0644, 0755 for executables and
// directories, and the times of [ModTime]; directories are of the first second
// of 2000. Blobs that are missing are taken from the origin. The layers may be
// used by any number of sandboxes and must never be written to. They stay for as
// long as this process lives.
//
// A tree that is there costs the same time whatever its size; one that is near
// another costs time with what differs. Two processes that make the same tree
// at once both succeed: the second finds the first one's and drops its own.
func (s *Store) Tree(ctx context.Context, tree *digest.Tree, options TreeOptions) (layers.Stack, error) {
	if s.behind != nil {
		if laid, err := s.behind.findTree(tree.Root); err == nil {
			return laid.stack, nil
		}
	}
	for range maxRounds {
		laid, err := s.findTree(tree.Root)
		if err == nil {
			s.remember(options.Near, laid.base)
			return laid.stack, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("lay out the input tree: %w", err)
		}
		err = s.makeDelta(ctx, tree, options)
		if errors.Is(err, errNoDelta) {
			err = s.makeWhole(ctx, tree, options.Origin)
		}
		if err != nil {
			return nil, fmt.Errorf("lay out the input tree: %w", err)
		}
	}
	return nil, fmt.Errorf("lay out the input tree %s: it was removed as soon as it was made; is a prune running in a loop?", tree.Root)
}

// makeWhole lays out the tree without any other below it.
func (s *Store) makeWhole(ctx context.Context, tree *digest.Tree, origin Origin) error {
	if err := s.AddDirectories(ctx, tree.Directories()); err != nil {
		return err
	}
	final := s.treePath(tree.Root, whole)
	if err := s.dropDamaged(final); err != nil {
		return err
	}
	return s.makeTree(ctx, final, treeRecord{Root: tree.Root.String()}, origin, func(f *filler) error {
		return digest.Walk(ctx, made{tree, s}, tree.Root, f.put)
	})
}

// makeTree fills the folder of a tree under a temporary name and puts it into
// its place, unless it is there by then.
func (s *Store) makeTree(ctx context.Context, final string, record treeRecord, origin Origin, feed func(*filler) error) error {
	temp, err := os.MkdirTemp(s.layout.Temp(), "tree-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	layer := filepath.Join(temp, layerFolder)
	if err := os.Mkdir(layer, 0o755); err != nil {
		return err
	}
	if record.Entries, record.Bytes, err = s.fillLayer(ctx, layer, origin, feed); err != nil {
		return err
	}
	record.BootID = s.bootID()
	if err := record.write(temp); err != nil {
		return err
	}
	if err := caches.MakeFolder(s.treesFolder(), caches.Own); err != nil {
		return err
	}
	err = caches.Replace(temp, final)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

// AddDirectories stores the messages of directories, those that it lacks.
func (s *Store) AddDirectories(ctx context.Context, directories digest.Directories) error {
	for d, message := range directories {
		if s.Has(d) {
			continue
		}
		if err := s.addFrom(ctx, bytes.NewReader(message), d, plain); err != nil {
			return fmt.Errorf("store directory %s: %w", d, err)
		}
	}
	return nil
}
