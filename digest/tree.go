package digest

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"sync"

	"golang.org/x/sys/unix"
)

// Tree is a whole directory tree: what has to be stored for it, and what it
// holds. It is not changed after it was made, and is safe for use by many
// goroutines. One that was scanned makes its messages when they are asked for,
// since who has the tree already needs none of them.
type Tree struct {
	// Root is the digest of the root directory.
	Root Digest
	// Stats says what making the tree took.
	Stats Stats

	fn      Function
	made    Directories // messages that are there
	entries []Entry     // of a tree without nodes
	top     *node       // nil for a tree that was not scanned
	nodes   func() map[Digest]*node
}

// node is one directory of a scanned tree. It is not changed once made.
type node struct {
	block  block
	taken  []byte // one bit for each item, see [isTaken]
	subs   []branch
	digest Digest
}

// branch is a directory in a directory.
type branch struct {
	item int // its number in the block
	node *node
}

// scannedTree returns the tree below a node.
func scannedTree(fn Function, top *node) *Tree {
	t := &Tree{Root: top.digest, fn: fn, top: top}
	t.nodes = sync.OnceValue(func() map[Digest]*node {
		all := map[Digest]*node{}
		top.gather(all)
		return all
	})
	return t
}

func (n *node) gather(into map[Digest]*node) {
	into[n.digest] = n
	for _, sub := range n.subs {
		sub.node.gather(into)
	}
}

// Blob returns the message of the directory d, or an error that wraps
// [fs.ErrNotExist] when the tree has no such directory. It makes the tree a
// [Source].
func (t *Tree) Blob(ctx context.Context, d Digest) ([]byte, error) {
	if _, ok := t.made[d]; !ok && t.top != nil {
		if n, ok := t.nodes()[d]; ok {
			return n.message(t.fn).encode(), nil
		}
	}
	return t.made.Blob(ctx, d)
}

// Directories returns the message of every directory, the root included. For a
// scanned tree it takes time and memory with the number of its entries.
func (t *Tree) Directories() Directories {
	if t.top == nil {
		return t.made
	}
	all := maps.Clone(t.made)
	if all == nil {
		all = Directories{}
	}
	for d, n := range t.nodes() {
		all[d] = n.message(t.fn).encode()
	}
	return all
}

// Over returns the tree with another root and with directories that lead from
// there to its own, as [Graft] makes them. Its entries stay as they are.
func (t *Tree) Over(root Digest, made Directories) *Tree {
	over := *t
	over.Root, over.made = root, maps.Clone(made)
	maps.Copy(over.made, t.made)
	return &over
}

// Entries yields every file, every symbolic link and every empty directory but
// the root, in the order of [ComparePaths].
func (t *Tree) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if t.top != nil {
			t.top.walk(t.fn, "", yield)
			return
		}
		for _, entry := range t.entries {
			if !yield(entry) {
				return
			}
		}
	}
}

// yielder takes an entry, and reports whether more are wanted.
type yielder = func(Entry) bool

// walk yields what is below a node, and reports whether more is wanted.
func (n *node) walk(fn Function, prefix string, yield yielder) bool {
	subs := n.subs
	for i := range n.block.len() {
		more := true
		if len(subs) > 0 && subs[0].item == i {
			more = subs[0].node.walkSub(fn, prefix+string(n.block.name(i)), yield)
			subs = subs[1:]
		} else if isTaken(n.taken, i) {
			more = yield(n.entry(fn, prefix, i))
		}
		if !more {
			return false
		}
	}
	return true
}

func (n *node) walkSub(fn Function, path string, yield yielder) bool {
	if n.isEmpty() {
		return yield(Entry{Path: path, Kind: KindDirectory, Digest: n.digest})
	}
	return n.walk(fn, path+"/", yield)
}

func (n *node) isEmpty() bool { return n.digest.Size() == 0 }

// entry returns item i, which is no directory.
func (n *node) entry(fn Function, prefix string, i int) Entry {
	path := prefix + string(n.block.name(i))
	if n.block.kind(i) == unix.DT_LNK {
		return Entry{Path: path, Kind: KindSymlink, Target: n.block.target(i)}
	}
	return Entry{Path: path, Kind: KindFile, Executable: n.block.has(i, flagExecutable), Digest: n.block.content(i, fn)}
}

// message returns what the directory holds.
func (n *node) message(fn Function) Directory {
	var d Directory
	for i := range n.block.len() {
		if !isTaken(n.taken, i) {
			continue
		}
		name := string(n.block.name(i))
		if n.block.kind(i) == unix.DT_LNK {
			d.Symlinks = append(d.Symlinks, Symlink{name, n.block.target(i)})
		} else {
			d.Files = append(d.Files, File{name, n.block.content(i, fn), n.block.has(i, flagExecutable)})
		}
	}
	for _, sub := range n.subs {
		d.Directories = append(d.Directories, Sub{string(n.block.name(sub.item)), sub.node.digest})
	}
	return d
}

// PathOf returns the path of a file with this content, the first one. It looks
// at every file, but makes nothing.
func (t *Tree) PathOf(content Digest) (path string, ok bool) {
	if t.top != nil {
		return t.top.pathOf(content, "")
	}
	for _, entry := range t.entries {
		if entry.Kind == KindFile && entry.Digest == content {
			return entry.Path, true
		}
	}
	return "", false
}

func (n *node) pathOf(content Digest, prefix string) (string, bool) {
	for i := range n.block.len() {
		hash := n.block.item(i)[40 : 40+hashBytes]
		if isTaken(n.taken, i) && n.block.has(i, flagContent) && bytes.Equal(hash, content.hash[:]) {
			return prefix + string(n.block.name(i)), true
		}
	}
	for _, sub := range n.subs {
		if path, ok := sub.node.pathOf(content, prefix+string(n.block.name(sub.item))+"/"); ok {
			return path, true
		}
	}
	return "", false
}
