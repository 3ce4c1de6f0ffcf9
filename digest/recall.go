package digest

import (
	"encoding/binary"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// decisions is the version of what makes a scan take a name: of gitignore
// syntax, patterns and excluded paths. A change to any of these changes it, or
// memos of the version before would go on answering.
const decisions = "larder decisions 1"

// sum returns what stands for the selection in the keys of memos.
func (s *selection) sum(root string) sum {
	text := appendText(appendText(nil, decisions), root)
	for i := range s.selectors {
		text = appendText(text, s.selectors[i].written)
	}
	text = append(text, 0)
	for _, path := range s.excluded {
		text = appendText(text, path)
	}
	return sumOf(text)
}

// keyOf returns the key of a folder's memo, which has all that decides on the
// names in it: the patterns, what they say about the folder, and the ignore
// files in force.
func (s *scanner) keyOf(f *folder) sum {
	text := make([]byte, 0, 64)
	text = append(text, s.rules[:]...)
	text = binary.LittleEndian.AppendUint32(text, uint32(f.last+1))
	if f.ignored {
		text = append(text, 1)
	}
	if f.ignores != nil {
		text = append(text, f.ignores.sum[:]...)
	}
	return sumOf(text)
}

// recall finds out whether a folder has the names that it had, and what was made
// of them under the same rules. The files are yet to be looked at.
func (s *scanner) recall(f *folder) bool {
	if s.index == nil {
		return false
	}
	f.old = s.index.folder(filepath.Join(s.root, f.path))
	var st unix.Stat_t
	if !s.trusting || unix.Fstat(f.dir.fd, &st) != nil || uint64(st.Dev) != s.device {
		return false
	}
	f.stamp, f.settled = folderStampOf(&st), s.settled(&st)
	if f.stamp != f.old.folder() || len(f.old.memos) == 0 {
		return false
	}
	s.readIgnores(f, func(yield func(string, uint8) bool) {
		for i := range f.old.len() {
			// Nothing else is asked for, and a name costs a copy.
			if name := f.old.name(i); len(name) > 0 && name[0] == '.' && !yield(string(name), f.old.kind(i)) {
				return
			}
		}
	})
	f.key = s.keyOf(f)
	f.memo, f.recalled = f.old.memo(f.key, s.fn)
	return f.recalled
}

// check looks at the files of a recalled folder, and lists it after all when one
// of them is not as it was.
func (s *scanner) check(f *folder) {
	var pending atomic.Int32
	var other atomic.Bool
	batches := max(1, (f.old.len()+statBatch-1)/statBatch)
	pending.Store(int32(batches))
	look := func(from int) {
		if !other.Load() && !s.isSame(f, from, min(from+statBatch, f.old.len())) {
			other.Store(true)
		}
		if pending.Add(-1) > 0 {
			return
		}
		if f.recalled = !other.Load(); f.recalled {
			s.accept(f)
		} else {
			s.list(f)
		}
	}
	for n := range batches - 1 {
		s.later(f, func() { look(n * statBatch) })
	}
	look((batches - 1) * statBatch)
}

// isSame reports whether files of a recalled folder are as they were.
func (s *scanner) isSame(f *folder, from, to int) bool {
	for i := from; i < to; i++ {
		if !isTaken(f.memo.taken, i) || f.old.kind(i) != unix.DT_REG {
			continue
		}
		st, err := f.dir.stat(string(f.old.name(i)))
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || !f.old.isAs(i, &st) {
			return false
		}
	}
	return s.ctx.Err() == nil
}

// accept takes a recalled folder as it is, and goes on with the directories in it.
func (s *scanner) accept(f *folder) {
	for _, n := range matchedNumbers(f.memo.matched) {
		if n < len(s.matched) {
			s.matched[n].Store(true)
		}
	}
	prefix := ""
	if f.path != "" {
		prefix = f.path + "/"
	}
	f.items, f.listed, f.matched = nil, true, f.memo.matched
	for i := range f.old.len() {
		if f.old.kind(i) == unix.DT_DIR {
			one := item{path: prefix + string(f.old.name(i)), start: len(prefix), kind: unix.DT_DIR, number: i}
			f.items = append(f.items, one)
		}
	}
	for i := range f.items {
		s.decide(f, &f.items[i])
	}
}
