package digest

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// statBatch is how many files one job looks at.
	statBatch = 256
	// hashBatch is how many bytes of small files one job hashes.
	hashBatch = 1 << 20
	// maxIgnoreFile bounds the ignore files that are read whole.
	maxIgnoreFile = 16 << 20
)

// visit takes a folder as the index knows it, or lists it.
func (s *scanner) visit(f *folder) {
	defer f.dir.release()
	if s.ctx.Err() != nil {
		return
	}
	if s.recall(f) {
		s.check(f)
		return
	}
	s.list(f)
}

// list reads the names in a folder, decides on each of them, and adds jobs for
// files and folders in it.
func (s *scanner) list(f *folder) {
	items, err := f.names()
	if err != nil {
		s.problems.add(pathOrDot(f.path), readProblem(err))
		return
	}
	f.items, f.listed, f.matched = items, true, 0
	s.readIgnores(f, func(yield func(string, uint8) bool) {
		for i := range items {
			if !yield(items[i].name(), items[i].kind) {
				return
			}
		}
	})
	f.key = s.keyOf(f)
	var files []int
	for i := range f.items {
		if s.decide(f, &f.items[i]) {
			files = append(files, i)
		}
	}
	s.lookAt(f, files)
}

// names returns what is in a folder: as it was, when nothing in it can have
// changed, and else as it is read.
func (f *folder) names() ([]item, error) {
	if f.stamp == (folderStamp{}) || f.stamp != f.old.folder() {
		return f.dir.list(f.path)
	}
	dir := ""
	if f.path != "" {
		dir = f.path + "/"
	}
	var text []byte
	spans := make([]span, f.old.len())
	for i := range spans {
		begin := len(text)
		text = append(append(text, dir...), f.old.name(i)...)
		spans[i] = span{begin, len(text), f.old.kind(i)}
	}
	return itemsOf(string(text), spans, len(dir)), nil
}

// pathOrDot names the root.
func pathOrDot(path string) string {
	if path == "" {
		return "."
	}
	return path
}

// decide finds out what becomes of one item. It reports true for a file that is
// taken, which has yet to be looked at.
func (s *scanner) decide(f *folder, i *item) bool {
	if i.kind == unix.DT_UNKNOWN {
		var err error
		if i.kind, err = f.dir.kindOf(i.name()); err != nil {
			s.problems.add(i.path, readProblem(err))
			return false
		}
	}
	about := subject{path: i.path, name: i.name(), isDirectory: i.kind == unix.DT_DIR}
	v := s.selection.judge(about, f.last)
	byFile := f.ignores.ignored(about)
	ignored := f.ignored || byFile || about.name == ".git" || s.selection.excludes(i.path)
	overruled := ignored && v.named
	ignored = ignored && !v.named
	i.taken = v.selected && !ignored
	if !ignored {
		s.mark(f, about)
	}
	switch i.kind {
	case unix.DT_DIR:
		sub := &folder{path: i.path, selected: i.taken, ignored: ignored, last: v.last, depth: f.depth + 1, above: f.ignores}
		if overruled {
			sub.above = nil
		}
		s.descend(f, i, sub)
	case unix.DT_REG:
		return i.taken
	case unix.DT_LNK:
		s.readLink(f, i)
	default:
		if i.taken {
			s.problems.add(i.path, fmt.Errorf("is a %s, %w; leave it out with a !pattern or an ignore file", kindName(i.kind), ErrUnsupportedFile))
		}
	}
	return false
}

// mark notes which of the patterns that have to match something match here.
func (s *scanner) mark(f *folder, about subject) {
	for n := range s.selection.selectors {
		one := &s.selection.selectors[n]
		if one.must && one.matches(about) {
			s.matched[n].Store(true)
			f.matched |= 1 << (n % mostMatched)
		}
	}
}

// descend adds the visit of a directory that may hold something to take.
func (s *scanner) descend(f *folder, i *item, sub *folder) {
	wanted := sub.selected || !sub.ignored && s.selection.reaches(i.path, sub.last) || s.selection.namesBelow(i.path)
	if !wanted {
		return
	}
	if sub.depth > maxDepth {
		s.problems.add(i.path, fmt.Errorf("is %w: more than %d directories deep", ErrTree, maxDepth))
		return
	}
	i.folder = sub
	parent := f.dir.hold(1)
	s.crew.add(func() {
		defer parent.release()
		dir, err := parent.open(i.name())
		if err != nil {
			s.problems.add(i.path, readProblem(err))
			return
		}
		sub.dir = dir
		s.visit(sub)
	})
}

func (s *scanner) readLink(f *folder, i *item) {
	if !i.taken {
		return
	}
	target, err := f.dir.readlink(i.name())
	if err != nil {
		s.problems.add(i.path, readProblem(err))
	}
	i.target = target
}

func kindName(kind uint8) string {
	switch kind {
	case unix.DT_SOCK:
		return "socket"
	case unix.DT_FIFO:
		return "FIFO"
	case unix.DT_BLK, unix.DT_CHR:
		return "device"
	}
	return "special file"
}

// lookAt adds jobs that find the digests of files, given by their numbers. The
// last batch it looks at itself.
func (s *scanner) lookAt(f *folder, files []int) {
	for len(files) > statBatch {
		batch := files[:statBatch]
		files = files[statBatch:]
		s.later(f, func() { s.statFiles(f, batch) })
	}
	s.statFiles(f, files)
}

// later adds a job that uses the directory of f.
func (s *scanner) later(f *folder, job func()) {
	dir := f.dir.hold(1)
	s.crew.add(func() {
		defer dir.release()
		job()
	})
}

// statFiles takes digests from the index where it has them, and adds jobs that
// hash the other files.
func (s *scanner) statFiles(f *folder, files []int) {
	var batch []int
	var bytes int64
	for _, n := range files {
		i := &f.items[n]
		st, err := f.dir.stat(i.name())
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = fmt.Errorf("%w: no longer a regular file", ErrChanged)
		}
		if err != nil {
			s.problems.add(i.path, readProblem(err))
			continue
		}
		if at, found := f.old.find(i.name()); found && f.old.isAs(at, &st) {
			i.known, i.content, i.stamp = true, f.old.content(at, s.fn), f.old.stamp(at)
			continue
		}
		if batch, bytes = append(batch, n), bytes+st.Size; bytes >= hashBatch {
			whole := batch
			batch, bytes = nil, 0
			s.later(f, func() { s.hashFiles(f, whole) })
		}
	}
	s.hashFiles(f, batch)
}

// hashFiles reads files and hashes them.
func (s *scanner) hashFiles(f *folder, files []int) {
	for _, n := range files {
		i := &f.items[n]
		content, st, err := hashFile(s.ctx, s.fn, f.dir.fd, i.name(), unix.O_NOFOLLOW)
		if err != nil {
			s.problems.add(i.path, readProblem(err))
			continue
		}
		i.content, i.stamp = content, stampOf(&st)
		if !s.settled(&st) {
			i.stamp = stamp{size: i.stamp.size, executable: i.stamp.executable}
		}
	}
}

func (s *scanner) settled(st *unix.Stat_t) bool {
	began := s.began
	if s.blurred {
		began = began.Add(-coarseBlur)
	}
	return settled(st, began)
}

// readIgnores puts the ignore files among the names of a folder before those
// above it. The second one read is the stronger one.
func (s *scanner) readIgnores(f *folder, names iter.Seq2[string, uint8]) {
	f.ignores = f.above
	if f.ignored {
		return
	}
	base := ""
	if f.path != "" {
		base = f.path + "/"
	}
	var found [2]bool
	for name, kind := range names {
		// As in git, a link in the place of an ignore file is not one.
		isFile := kind == unix.DT_REG || kind == unix.DT_UNKNOWN
		found[0] = found[0] || isFile && name == ".gitignore"
		found[1] = found[1] || isFile && name == ".larderignore"
	}
	for n, name := range []string{".gitignore", ".larderignore"} {
		if found[n] {
			f.ignores = s.readIgnoreFile(f.dir, name, base, f.ignores)
		}
	}
}

// readIgnoreFile returns the chain with the rules of one file before it.
func (s *scanner) readIgnoreFile(dir *handle, name, base string, above *ignores) *ignores {
	fd, err := unix.Openat(dir.fd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		s.problems.add(base+name, readProblem(err))
		return above
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxIgnoreFile+1))
	if err == nil && len(data) > maxIgnoreFile {
		err = fmt.Errorf("%w: an ignore file of more than %d bytes", ErrTree, maxIgnoreFile)
	}
	if err != nil {
		s.problems.add(base+name, readProblem(err))
		return above
	}
	return newIgnores(data, base, above)
}

// mostRules bounds the bytes of .git/info/exclude.
const mostRules = 16 << 20

// infoExclude returns the rules of .git/info/exclude, the weakest of all.
func (s *scanner) infoExclude(dir *handle) *ignores {
	data, err := ReadPlain(filepath.Join(s.root, ".git", "info", "exclude"), mostRules)
	if err != nil {
		return nil // not a repository, or one that keeps it elsewhere
	}
	return newIgnores(data, "", nil)
}
