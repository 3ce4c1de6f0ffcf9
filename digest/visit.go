package digest

import (
	"fmt"
	"io"
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

// visit lists a folder, decides on every name in it, and adds jobs for files
// and folders in it.
func (s *scanner) visit(f *folder) {
	defer f.dir.release()
	if s.ctx.Err() != nil {
		return
	}
	items, err := f.dir.list(f.path)
	if err != nil {
		s.problems.add(pathOrDot(f.path), readProblem(err))
		return
	}
	f.items = items
	f.old = s.index.folder(filepath.Join(s.root, f.path))
	if !f.ignored {
		s.readIgnores(f)
	}
	var files []int
	for i := range f.items {
		if s.decide(f, &f.items[i]) {
			files = append(files, i)
		}
	}
	s.mu.Lock()
	s.folders = append(s.folders, f)
	s.mu.Unlock()
	s.lookAt(f, files)
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
	isDir := i.kind == unix.DT_DIR
	v := s.selection.judge(i.path, i.name(), isDir, f.last)
	byFile := f.ignores.ignored(i.path, i.name(), isDir)
	ignored := f.ignored || byFile || i.name() == ".git" || s.selection.excludes(i.path)
	overruled := ignored && v.named
	ignored = ignored && !v.named
	i.taken = v.selected && !ignored
	s.mark(i, isDir, ignored)
	switch i.kind {
	case unix.DT_DIR:
		sub := &folder{path: i.path, selected: i.taken, ignored: ignored, last: v.last, depth: f.depth + 1, ignores: f.ignores}
		if overruled {
			sub.ignores = nil
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

// mark notes which of the patterns that have to match something match i.
func (s *scanner) mark(i *item, isDir, ignored bool) {
	for n := range s.selection.selectors {
		one := &s.selection.selectors[n]
		if one.must && !ignored && !s.matched[n].Load() && one.matches(i.path, i.name(), isDir) {
			s.matched[n].Store(true)
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
		now := stampOf(&st)
		if i.content, i.known = f.old.match(i.name(), now); i.known {
			i.executable = now.executable
			continue
		}
		if batch, bytes = append(batch, n), bytes+now.size; bytes >= hashBatch {
			whole := batch
			batch, bytes = nil, 0
			s.later(f, func() { s.hashFiles(f, whole) })
		}
	}
	s.hashFiles(f, batch)
}

// hashFiles reads files and hashes them.
func (s *scanner) hashFiles(f *folder, files []int) {
	var fresh []namedRecord
	for _, n := range files {
		i := &f.items[n]
		content, st, err := hashFile(s.ctx, s.fn, f.dir.fd, i.name(), unix.O_NOFOLLOW)
		if err != nil {
			s.problems.add(i.path, readProblem(err))
			continue
		}
		now := stampOf(&st)
		i.content, i.executable = content, now.executable
		if s.settled(&st) {
			fresh = append(fresh, namedRecord{i.name(), record{now, content}})
		}
	}
	f.mu.Lock()
	f.fresh = append(f.fresh, fresh...)
	f.mu.Unlock()
}

func (s *scanner) settled(st *unix.Stat_t) bool {
	began := s.began
	if s.blurred {
		began = began.Add(-coarseBlur)
	}
	return settled(st, began)
}

// readIgnores puts the ignore files of a folder before those above it. The
// second one read is the stronger one.
func (s *scanner) readIgnores(f *folder) {
	base := ""
	if f.path != "" {
		base = f.path + "/"
	}
	for _, name := range []string{".gitignore", ".larderignore"} {
		for i := range f.items {
			// As in git, a link in the place of an ignore file is not one.
			if one := &f.items[i]; one.name() == name && (one.kind == unix.DT_REG || one.kind == unix.DT_UNKNOWN) {
				f.ignores = s.readIgnoreFile(f.dir, name, base, f.ignores)
			}
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
	return &ignores{rules: parseRules(data), base: base, above: above}
}

// mostRules bounds the bytes of .git/info/exclude.
const mostRules = 16 << 20

// infoExclude returns the rules of .git/info/exclude, the weakest of all.
func (s *scanner) infoExclude(dir *handle) *ignores {
	data, err := ReadPlain(filepath.Join(s.root, ".git", "info", "exclude"), mostRules)
	if err != nil {
		return nil // not a repository, or one that keeps it elsewhere
	}
	return &ignores{rules: parseRules(data)}
}
