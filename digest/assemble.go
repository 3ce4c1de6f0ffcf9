package digest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// assemble makes the tree of a scan whose jobs are done.
func (s *scanner) assemble(top *folder) *Tree {
	tree := &Tree{Directories: Directories{}}
	for _, f := range s.folders {
		for i := range f.items {
			tree.Stats.count(&f.items[i])
		}
	}
	tree.Entries = make([]Entry, 0, tree.Stats.Files+len(s.folders))
	tree.Root = s.assembleFolder(tree, top)
	return tree
}

// count adds what an item took.
func (s *Stats) count(i *item) {
	if !i.taken || i.kind != unix.DT_REG {
		return
	}
	s.Files++
	if !i.known {
		s.HashedFiles++
		s.HashedBytes += i.content.Size()
	}
}

// assembleFolder adds a folder to the tree and returns its digest.
func (s *scanner) assembleFolder(tree *Tree, f *folder) Digest {
	var d Directory
	for n := range f.items {
		i := &f.items[n]
		switch {
		case i.folder != nil:
			s.assembleSub(tree, &d, i)
		case !i.taken:
		case !s.checkItem(i):
		case i.kind == unix.DT_REG:
			d.Files = append(d.Files, File{i.name(), i.content, i.executable})
			tree.Entries = append(tree.Entries, Entry{Path: i.path, Kind: KindFile, Executable: i.executable, Digest: i.content})
		case i.kind == unix.DT_LNK:
			d.Symlinks = append(d.Symlinks, Symlink{i.name(), i.target})
			tree.Entries = append(tree.Entries, Entry{Path: i.path, Kind: KindSymlink, Target: i.target})
		}
	}
	return tree.add(s.fn, d)
}

// add stores an encoded directory, whose names are valid and sorted.
func (t *Tree) add(fn Function, d Directory) Digest {
	data := d.encode()
	name := Of(fn, data)
	t.Directories[name] = data
	return name
}

// assembleSub adds a folder in a folder, unless it is there only for what might
// have been in it. A folder that is empty on the disk is an input like any; one
// of which everything was left out is not, or a tool that keeps its own ignored
// folder in the repository would change the tree by being used.
func (s *scanner) assembleSub(tree *Tree, d *Directory, i *item) {
	before := len(tree.Entries)
	content := s.assembleFolder(tree, i.folder)
	empty := len(tree.Entries) == before
	if empty && (!i.folder.selected || len(i.folder.items) > 0) || !s.checkItem(i) {
		return
	}
	d.Directories = append(d.Directories, Sub{i.name(), content})
	if empty {
		tree.Entries = append(tree.Entries, Entry{Path: i.path, Kind: KindDirectory, Digest: content})
	}
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

// updateIndex tells the index what the scan has seen.
func (s *scanner) updateIndex() {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, f := range s.folders {
		path := filepath.Join(s.root, f.path)
		var subfolders []string
		for i := range f.items {
			if f.items[i].kind == unix.DT_DIR {
				subfolders = append(subfolders, f.items[i].name())
			}
		}
		s.index.list(path, subfolders)
		if records, changed := f.records(); changed {
			s.index.replace(path, records)
		}
	}
}

// records returns what an index should know of a folder from now on, and
// whether that is another thing than it knew. Files that are there but were not
// taken keep their records: another selection may want them.
func (f *folder) records() ([]namedRecord, bool) {
	known := 0
	for i := range f.items {
		if f.items[i].known {
			known++
		}
	}
	if known == f.old.len() && len(f.fresh) == 0 {
		return nil, false
	}
	slices.SortFunc(f.fresh, func(a, b namedRecord) int { return strings.Compare(a.name, b.name) })
	fresh := folderRecords{fresh: f.fresh}
	var records []namedRecord
	for n := range f.items {
		i := &f.items[n]
		if i.kind != unix.DT_REG {
			continue
		}
		r, ok := fresh.get(i.name())
		if !ok && (i.known || !i.taken) {
			r, ok = f.old.get(i.name())
		}
		if ok {
			records = append(records, namedRecord{i.name(), r})
		}
	}
	return records, len(f.fresh) > 0 || len(records) != f.old.len()
}
