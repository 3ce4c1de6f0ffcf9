package executor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"larder/digest"
	"larder/executor/action"
)

// Inputs reads the inputs of actions into trees.
type Inputs struct {
	Function digest.Function
	// Trees reads the directories of trees that are in the store.
	Trees digest.Source
	// Indexes keeps the stat indexes for more scans; nil keeps none.
	Indexes *digest.Indexes
	// IndexFile names the file of the stat index for a root.
	IndexFile func(root string) string
	// WriteIndex replaces such a file as a whole.
	WriteIndex func(file string, data []byte) error
}

func (in Inputs) scan(ctx context.Context, request Request, tools []string) (*digest.Tree, error) {
	a := request.Action
	tree, err := in.scanRoot(ctx, a, tools)
	if err == nil && request.Combine != nil {
		tree, err = request.Combine(ctx, tree)
	}
	if err != nil || len(a.Trees) == 0 {
		return tree, err
	}
	return in.graft(ctx, tree, a.Trees)
}

func (in Inputs) scanRoot(ctx context.Context, a *action.Action, tools []string) (*digest.Tree, error) {
	if len(a.Inputs) == 0 {
		return digest.FromEntries(in.Function, nil)
	}
	file := in.IndexFile(a.Root)
	index := in.Indexes.Load(file, in.Function)
	tree, err := digest.Scan(ctx, a.Root, digest.ScanOptions{
		Function: in.Function, Patterns: a.Inputs, Exclude: excluded(a, tools), Index: index,
	})
	if err != nil {
		return nil, fmt.Errorf("read the inputs: %w", err)
	}
	// The index is advice: when it cannot be written the next scan is slower.
	_ = in.Indexes.Done(index, func(data []byte) error { return in.WriteIndex(file, data) })
	return tree, nil
}

func (in Inputs) graft(ctx context.Context, tree *digest.Tree, trees []action.Tree) (*digest.Tree, error) {
	places := map[string]digest.Digest{}
	for _, stored := range trees {
		root, err := digest.Parse(in.Function, stored.Digest)
		if err != nil {
			return nil, fmt.Errorf("tree for %s: %w", stored.Path, err)
		}
		places[stored.Path.String()] = root
	}
	root, added, err := digest.Graft(ctx, layered{tree, in.Trees}, tree.Root, places)
	if err != nil {
		return nil, fmt.Errorf("add stored trees to the inputs: %w", err)
	}
	return tree.Over(root, added), nil
}

// layered reads directories that were just made, and otherwise stored ones.
type layered struct {
	made, stored digest.Source
}

// Blob returns the content that d names.
func (l layered) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	if data, err := l.made.Blob(ctx, d); err == nil {
		return data, nil
	}
	return l.stored.Blob(ctx, d)
}

// excluded lists what is under the root but is not an input unless a pattern
// names it: a bare tool's cache, an earlier run's outputs, a bound tool.
func excluded(a *action.Action, tools []string) []string {
	var paths []string
	for _, cache := range a.Caches {
		paths = append(paths, cache.Path.String())
	}
	for _, output := range a.Outputs {
		paths = append(paths, output.String())
	}
	for _, payload := range a.Payloads {
		tools = append(tools[:len(tools):len(tools)], payload.Host)
	}
	for _, path := range slices.Concat(a.Tools, tools, a.NoInputs) {
		if relative, err := filepath.Rel(a.Root, path); err == nil && relative != "." && filepath.IsLocal(relative) {
			paths = append(paths, relative)
		}
	}
	return paths
}
