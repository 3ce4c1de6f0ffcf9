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
	return n.merge(ctx, in, outputs, nil)
}

// hostName is what collisions call the files of the host.
const hostName = "the inputs of the host"

// Inputs returns the input tree of a node: what was found on the host, merged
// with the sources, of which it comes first. New directories are only in the
// tree, and nothing is stored: the sink of in is not used.
func (n *Node) Inputs(ctx context.Context, in Trees, outputs []digest.Digest, host *digest.Tree) (*digest.Tree, digest.Merged, error) {
	if len(n.Plan.From) == 0 {
		return host, digest.Merged{}, nil
	}
	made := digest.Directories{}
	in.Source, in.Sink = layered{made, host, in.Source}, made.Sink(in.Function)
	merged, err := n.merge(ctx, in, outputs, host)
	if err != nil {
		return nil, merged, err
	}
	return host.Over(merged.Root, made), merged, nil
}

// merge makes one tree of the files of the host, if there are any, and the
// sources.
func (n *Node) merge(ctx context.Context, in Trees, outputs []digest.Digest, host *digest.Tree) (digest.Merged, error) {
	var producers []digest.Producer
	if host != nil && host.Root.Size() > 0 {
		producers = append(producers, digest.Producer{Name: hostName, Root: host.Root})
	}
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

// layered reads directories that were just made, those of the host, and stored
// ones.
type layered struct {
	made         digest.Directories
	host, stored digest.Source
}

// Blob returns the content that d names.
func (l layered) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	for _, source := range []digest.Source{l.made, l.host} {
		if data, err := source.Blob(ctx, d); err == nil {
			return data, nil
		}
	}
	return l.stored.Blob(ctx, d)
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
