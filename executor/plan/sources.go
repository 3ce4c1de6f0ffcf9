package plan

import (
	"context"
	"fmt"

	"larder/digest"
)

// Trees is where trees are read, and where new directories of them go: a store.
type Trees struct {
	Function digest.Function
	Source   digest.Source
	Sink     digest.Sink
}

// Sources returns the one tree that the sources of a node make, or none when the
// node has no sources. The output trees of the producers are given by their
// places in [Graph.Nodes]. Of each source the subset is taken first, then a
// prefix off, then one on, and then all are merged by the node's policies;
// collisions name the producers as the plan does.
//
// Only directories are read, and of them only what matters, see [digest.Merge].
func (n *Node) Sources(ctx context.Context, in Trees, outputs []digest.Digest) (digest.Merged, error) {
	var producers []digest.Producer
	for i := range n.Plan.From {
		from := &n.Plan.From[i]
		root, err := n.root(i, in.Function, outputs)
		if err == nil {
			root, err = in.part(ctx, from, root)
		}
		if err != nil {
			return digest.Merged{}, fmt.Errorf("action %q, source %s: %w", n.Plan.Name, from.name(), err)
		}
		producers = append(producers, digest.Producer{Name: from.name(), Root: root})
	}
	if len(producers) == 0 {
		return digest.Merged{}, nil
	}
	merged, err := digest.Merge(ctx, in.Source, in.Sink, producers, n.Policies)
	if err != nil {
		return digest.Merged{}, fmt.Errorf("action %q: %w", n.Plan.Name, err)
	}
	return merged, nil
}

// root is the tree that a source begins with.
func (n *Node) root(source int, fn digest.Function, outputs []digest.Digest) (digest.Digest, error) {
	producer := n.producers[source]
	if producer < 0 {
		return digest.Parse(fn, n.Plan.From[source].Tree)
	}
	if producer >= len(outputs) || outputs[producer].IsZero() {
		return digest.Digest{}, fmt.Errorf("%w: it has no output yet", ErrPlan)
	}
	return outputs[producer], nil
}

// part makes what a source takes of a tree.
func (in Trees) part(ctx context.Context, from *Source, root digest.Digest) (digest.Digest, error) {
	var err error
	if len(from.Subset) > 0 {
		root, err = digest.Subset(ctx, in.Source, in.Sink, root, from.Subset)
	}
	if err == nil && from.Strip != "" {
		root, err = digest.StripPrefix(ctx, in.Source, root, clean("strip", from.Strip))
	}
	if err == nil && from.Prefix != "" {
		root, err = digest.AddPrefix(ctx, in.Source, in.Sink, root, clean("prefix", from.Prefix))
	}
	return root, err
}

// name is what messages call a source.
func (from *Source) name() string {
	name := from.Action + from.Tree // one of them is empty
	if from.Prefix != "" {
		name += " at " + from.Prefix
	}
	return name
}
