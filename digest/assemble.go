package digest

import (
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// assemble makes the tree of a scan whose jobs are done, and tells the index what
// the scan has seen.
func (s *scanner) assemble(top *folder) *Tree {
	if s.index != nil {
		s.index.mu.Lock()
		defer s.index.mu.Unlock()
	}
	var stats Stats
	tree := scannedTree(s.fn, s.assembleFolder(top, &stats))
	tree.Stats = stats
	return tree
}

// assembleFolder makes the directory of a folder and of those in it.
func (s *scanner) assembleFolder(f *folder, stats *Stats) *node {
	n := &node{}
	for i := range f.items {
		if one := &f.items[i]; one.folder != nil {
			s.assembleSub(n, one, stats)
		}
	}
	if f.recalled {
		n.block, n.taken = f.old, f.memo.taken
		stats.Files += f.memo.files
	} else {
		s.writeDown(f, n, stats)
	}
	below := n.below()
	if f.recalled && f.memo.below == below {
		n.digest = f.memo.digest
		return n
	}
	n.digest = Of(s.fn, n.message(s.fn).encode())
	if s.index != nil && f.listed {
		s.teach(f, n, below)
	}
	return n
}

// assembleSub adds a folder in a folder, unless it is there only for what might
// have been in it. A folder that is empty on the disk is an input like any; one
// of which everything was left out is not, or a tool that keeps its own ignored
// folder in the repository would change the tree by being used.
func (s *scanner) assembleSub(n *node, i *item, stats *Stats) {
	sub := s.assembleFolder(i.folder, stats)
	if sub.isEmpty() && (!i.folder.selected || sub.block.len() > 0) || !s.checkItem(i) {
		return
	}
	n.subs = append(n.subs, branch{i.number, sub})
}

// writeDown makes the block of a folder that was listed, and finds out what of it
// was taken.
func (s *scanner) writeDown(f *folder, n *node, stats *Stats) {
	items := make([]folderItem, len(f.items))
	n.taken = make([]byte, bytesFor(len(f.items)))
	for at := range f.items {
		i := &f.items[at]
		items[at] = folderItem{name: i.name(), kind: i.kind, target: i.target}
		if i.kind == unix.DT_REG {
			items[at].record = s.recordOf(f, i)
		}
		if (i.kind == unix.DT_REG || i.kind == unix.DT_LNK) && i.taken && s.checkItem(i) {
			n.taken[at/8] |= 1 << (at % 8)
			stats.count(i)
		}
	}
	stamp := f.stamp
	if !f.settled {
		stamp = folderStamp{}
	}
	made, ok := makeBlock(stamp, items)
	if !ok {
		s.problems.add(pathOrDot(f.path), fmt.Errorf("is %w: it has too many names", ErrTree))
		n.taken = nil
	}
	n.block = made
}

// count adds what an item took.
func (s *Stats) count(i *item) {
	if i.kind != unix.DT_REG {
		return
	}
	s.Files++
	if !i.known {
		s.HashedFiles++
		s.HashedBytes += i.content.Size()
	}
}

// recordOf returns what is known of a file. One that is there but was not taken
// keeps what was known of it: another selection may want it.
func (s *scanner) recordOf(f *folder, i *item) record {
	if at, found := f.old.find(i.name()); found && f.old.kind(at) == unix.DT_REG && !i.taken {
		return f.old.at(at, s.fn).record
	}
	return record{i.stamp, i.content}
}

// teach tells the index what a folder is now.
func (s *scanner) teach(f *folder, n *node, below sum) {
	path := filepath.Join(s.root, f.path)
	known, worth := n.block, false
	if string(known.core()) == string(f.old.core()) {
		known = f.old // with its memos
	} else {
		worth = true
	}
	if s.canRecall(f, n) {
		files := 0
		for i := range n.block.len() {
			if n.block.kind(i) == unix.DT_REG && isTaken(n.taken, i) {
				files++
			}
		}
		m := memo{key: f.key, below: below, digest: n.digest, matched: f.matched, files: files, taken: n.taken}
		var more bool
		known, more = known.with(m)
		worth = worth || more
	}
	s.index.seen[path] = seenFolder{known, true}
	s.index.changed = s.index.changed || worth
}

// canRecall reports whether the next scan can take the folder as this one did.
func (s *scanner) canRecall(f *folder, n *node) bool {
	if n.block.folder() == (folderStamp{}) || len(s.selection.selectors) > mostMatched || s.problems.err() != nil {
		return false
	}
	for i := range n.block.len() {
		if isTaken(n.taken, i) && n.block.kind(i) == unix.DT_REG && n.block.stamp(i).inode == 0 {
			return false
		}
	}
	return true
}

// below sums up the directories in a directory.
func (n *node) below() sum {
	if len(n.subs) == 0 {
		return sum{}
	}
	var text []byte
	for _, sub := range n.subs {
		text = appendText(text, string(n.block.name(sub.item)))
		text = append(text, sub.node.digest.hash[:]...)
	}
	return sumOf(text)
}

// checkItem reports whether the names of an item can be in a tree.
func (s *scanner) checkItem(i *item) bool {
	if !utf8.ValidString(i.name()) {
		s.problems.add(i.path, fmt.Errorf("has a name that %w; rename it or leave it out", ErrName))
		return false
	}
	if !utf8.ValidString(i.target) {
		s.problems.add(i.path, fmt.Errorf("is a symbolic link to %q, which %w; change it or leave it out", i.target, ErrName))
		return false
	}
	return true
}
