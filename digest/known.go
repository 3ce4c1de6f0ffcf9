package digest

import (
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// known returns the tree of a selection that names nothing but files, all of which
// the index knows as they are. Then no folder has to be looked into: who compiles
// a thousand files in a folder, one an action, would list it a thousand times.
// It reports false when that is not so, or when anything is odd; a scan then finds
// out what.
func (s *scanner) known() (*Tree, bool) {
	if s.index == nil || len(s.selection.selectors) == 0 {
		return nil, false
	}
	var entries []Entry
	seen := looked{}
	for i := range s.selection.selectors {
		one := &s.selection.selectors[i]
		if !one.literal || !one.anchored || one.negated || one.dirOnly || one.rooted == "" {
			return nil, false
		}
		if seen[one.rooted] {
			continue
		}
		seen[one.rooted] = true
		entry, ok := s.knownFile(one.rooted, seen)
		if !ok {
			return nil, false
		}
		entries = append(entries, entry)
	}
	tree, err := FromEntries(s.fn, entries)
	if err != nil {
		return nil, false
	}
	tree.Stats.Files = len(entries)
	return tree, true
}

// looked is the paths that were looked at; those of folders end with a slash.
type looked map[string]bool

// knownFile returns the file at a path from the root. The folders on the way join
// those that were looked at: a link among them is not followed.
func (s *scanner) knownFile(name string, seen looked) (Entry, bool) {
	var st unix.Stat_t
	for above := path.Dir(name); above != "." && !seen[above+"/"]; above = path.Dir(above) {
		if path.Base(above) == ".git" || unix.Lstat(filepath.Join(s.root, above), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return Entry{}, false
		}
		seen[above+"/"] = true
	}
	at := filepath.Join(s.root, name)
	if unix.Lstat(at, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Entry{}, false
	}
	content, ok := s.index.lookup(at, &st)
	return Entry{Path: name, Kind: KindFile, Digest: content, Executable: st.Mode&0o100 != 0}, ok && !strings.HasSuffix(name, ".git")
}
