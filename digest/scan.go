package digest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ScanOptions says what of a directory a [Scan] takes.
type ScanOptions struct {
	// Function is the hash function of every digest in the tree.
	Function Function
	// Patterns select files, directories with all below them, and links, in
	// gitignore syntax; a later `!pattern` deselects; `.` selects everything.
	// What no pattern matches is left out. The last pattern that matches a
	// path or a directory above it decides.
	//
	// .gitignore and .larderignore files at every level, and .git/info/exclude
	// of the root, leave out what they match, and .git is always left out. A
	// pattern without wildcards overrules them for the one path that it names
	// from the root: that is taken, and so is all below it, where then only
	// ignore files below it count. It overrules Exclude in the same way, where
	// it names an excluded path or one below it. It is an error that such a
	// pattern, or one that begins with a slash, matches nothing.
	Patterns []string
	// Exclude has clean paths, relative to the root, that are left out with
	// all below them: caches, outputs, tools.
	Exclude []string
	// Index spares reading files that it knows; nil knows none. It has to be
	// of the same hash function.
	Index *Index
}

// Scan makes a tree of what the options select below the host directory root,
// which may itself be a symbolic link; links below it are kept and never
// followed. It reads in parallel and in pieces: memory grows with the number of
// entries, not with their size.
//
// It fails with [Problems] that name every path that cannot be in a tree or was
// changed meanwhile, with ErrRoot, with ErrPattern, or with the error of ctx.
func Scan(ctx context.Context, root string, opts ScanOptions) (*Tree, error) {
	selection, err := newSelection(opts.Patterns, opts.Exclude)
	if err != nil {
		return nil, err
	}
	if opts.Index != nil && opts.Index.fn != opts.Function {
		return nil, fmt.Errorf("%w: the stat index has %s digests, the scan wants %s", ErrDigest, opts.Index.fn, opts.Function)
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRoot, root, err)
	}
	s := &scanner{ctx: ctx, root: absolute, fn: opts.Function, index: opts.Index, selection: selection, crew: newCrew()}
	s.matched = make([]atomic.Bool, len(selection.selectors))
	return s.scan()
}

// scanner is one scan under way.
type scanner struct {
	ctx       context.Context
	root      string // absolute
	fn        Function
	index     *Index
	selection *selection
	rules     sum // of the selection, see [scanner.keyOf]
	crew      *crew
	began     time.Time
	blurred   bool   // the file system is a remote one, see coarseBlur
	device    uint64 // where listings can be relied on, see [trustsListings]
	trusting  bool   // there is such a device
	problems  collector
	matched   []atomic.Bool // by selector
}

// folder is one directory that the scan looks into.
type folder struct {
	path     string
	selected bool // the directory itself is taken, even if empty
	ignored  bool // only what a literal pattern names is taken
	last     int  // the last selector that matches it, see verdict
	depth    int
	above    *ignores // in force where the folder is
	ignores  *ignores // in force in it
	dir      *handle
	stamp    folderStamp // before it was listed
	settled  bool        // the stamp will differ once the listing does
	key      sum         // see [scanner.keyOf]
	old      block
	recalled bool // the listing and the files are as in old, and memo is for key
	memo     memo
	listed   bool   // items has all names, of a recalled folder all directories
	items    []item // sorted
	matched  uint64 // by the patterns that have to match something, see memo
}

func (s *scanner) scan() (*Tree, error) {
	s.began = s.index.clock()
	if tree, ok := s.known(); ok {
		return tree, s.ctx.Err()
	}
	dir, err := openRoot(s.root)
	if err != nil {
		return nil, err
	}
	s.blurred = isRemote(dir.fd)
	s.device, s.trusting = trustsListings(dir.fd)
	s.rules = s.selection.sum(s.root)
	top := &folder{last: s.selection.start(), dir: dir, selected: true, above: s.infoExclude(dir)}
	s.crew.add(func() { s.visit(top) })
	s.crew.run()
	if err := s.ctx.Err(); err != nil {
		return nil, fmt.Errorf("scan %s: %w", s.root, err)
	}
	tree := s.assemble(top)
	if err := s.problems.err(); err != nil {
		return nil, fmt.Errorf("scan %s: %w", s.root, err)
	}
	if err := s.unmatched(); err != nil {
		return nil, err
	}
	return tree, nil
}

// unmatched is an error for patterns that had to match and did not.
func (s *scanner) unmatched() error {
	var problems []error
	for i := range s.selection.selectors {
		if one := &s.selection.selectors[i]; one.must && !s.matched[i].Load() {
			problems = append(problems, s.explainUnmatched(one))
		}
	}
	return errors.Join(problems...)
}

// explainUnmatched looks for a link on the way, which is what surprises most.
func (s *scanner) explainUnmatched(one *selector) error {
	for end := range one.text {
		if one.text[end] != '/' || !one.literal {
			continue
		}
		var st unix.Stat_t
		err := unix.Lstat(filepath.Join(s.root, one.text[:end]), &st)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return fmt.Errorf("%w %q: %s is a symbolic link, and links are not followed; name what it points to", ErrPattern, one.written, one.text[:end])
		}
	}
	hint := "check the spelling"
	if strings.HasPrefix(one.written, "/") {
		hint = "patterns are relative to the root, and a leading / stands for it"
	}
	return fmt.Errorf("%w %q: it matches nothing under %s; %s", ErrPattern, one.written, s.root, hint)
}
