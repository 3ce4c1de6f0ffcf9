package upkeep

import (
	"context"

	"larder/caches/cas"
	"larder/digest"
)

// needs counts what needs each blob: results, input trees, and directories that
// something needs. A directory counts for what is in it once, however many need
// it, so counting takes time in proportion to the distinct directories.
type needs struct {
	ctx   context.Context
	blobs map[digest.Function]cas.Unnoted
	count map[digest.Digest]need
}

type need struct {
	by       int32
	expanded bool // its entries are counted
}

func newNeeds(ctx context.Context, blobs map[digest.Function]*cas.Store) *needs {
	n := &needs{ctx: ctx, blobs: map[digest.Function]cas.Unnoted{}, count: map[digest.Digest]need{}}
	for fn, store := range blobs {
		n.blobs[fn] = cas.Unnoted{Store: store}
	}
	return n
}

// addTree counts one more need for a directory and all in it, as far as it can
// be read.
func (n *needs) addTree(root digest.Digest) {
	at := n.count[root]
	at.by++
	n.count[root] = at
	if at.by > 1 {
		return
	}
	directory, err := n.read(root)
	if err != nil {
		return
	}
	at.expanded = true
	n.count[root] = at
	for _, file := range directory.Files {
		n.add(file.Digest)
	}
	for _, sub := range directory.Directories {
		n.addTree(sub.Digest)
	}
}

func (n *needs) add(blob digest.Digest) {
	at := n.count[blob]
	at.by++
	n.count[blob] = at
}

// drop takes one need of a blob away, and calls free when that was the last.
func (n *needs) drop(blob digest.Digest, free func(digest.Digest)) {
	at, ok := n.count[blob]
	if !ok {
		return
	}
	if at.by--; at.by > 0 {
		n.count[blob] = at
		return
	}
	if at.expanded {
		n.dropEntries(blob, free)
	}
	delete(n.count, blob)
	free(blob)
}

func (n *needs) dropEntries(root digest.Digest, free func(digest.Digest)) {
	directory, err := n.read(root)
	if err != nil {
		return // what is in it stays until the next time
	}
	for _, file := range directory.Files {
		n.drop(file.Digest, free)
	}
	for _, sub := range directory.Directories {
		n.drop(sub.Digest, free)
	}
}

func (n *needs) read(d digest.Digest) (digest.Directory, error) {
	if err := n.ctx.Err(); err != nil {
		return digest.Directory{}, err
	}
	data, err := n.blobs[d.Function()].Blob(n.ctx, d)
	if err != nil {
		return digest.Directory{}, err
	}
	return digest.DecodeDirectory(d.Function(), data)
}

// has reports whether anything needs the blob.
func (n *needs) has(blob digest.Digest) bool { return n.count[blob].by > 0 }
