package digest

import (
	"context"
	"errors"
	"fmt"
)

// Subset returns the tree of what the patterns select of the tree root. Their
// syntax and meaning are those of [ScanOptions], but no ignore file counts. A
// directory that holds nothing selected is left out, unless it was empty before
// and is selected itself. It is ErrPattern when a pattern without wildcards, or
// one that begins with a slash, matches nothing.
//
// Only directories that may hold something on both sides of the selection are
// read; new ones go to sink.
func Subset(ctx context.Context, src Source, sink Sink, root Digest, patterns []string) (Digest, error) {
	selection, err := newSelection(patterns, nil)
	if err == nil && len(patterns) == 0 {
		err = fmt.Errorf("%w: there is none; . selects everything", ErrPattern)
	}
	if err != nil {
		return Digest{}, fmt.Errorf("subset: %w", err)
	}
	s := &subsetter{reader: newReader(ctx, src), sink: sink, selection: selection, matched: make([]bool, len(patterns))}
	kept, err := s.part(Entry{Kind: KindDirectory, Digest: root}, selection.start(), 0)
	if err == nil {
		err = s.unmatched()
	}
	if err == nil && kept.Digest.IsZero() {
		kept.Digest, err = s.sink(ctx, nil)
	}
	if err != nil {
		return Digest{}, fmt.Errorf("subset of tree %s: %w", root, err)
	}
	return kept.Digest, nil
}

type subsetter struct {
	*reader
	sink      Sink
	selection *selection
	matched   []bool // by selector
}

// part returns the directory with what is selected of it, without a digest when
// that is nothing. The last selector that matches the directory is given.
func (s *subsetter) part(directory Entry, last, depth int) (Entry, error) {
	content, err := s.directory(directory.Digest, directory.Path, depth)
	if err != nil {
		return Entry{}, err
	}
	var made Directory
	changed := false
	entries := content.entries(directory.Path)
	for _, e := range entries {
		kept, err := s.entry(e, last, depth)
		if err != nil {
			return Entry{}, err
		}
		changed = changed || kept != e
		if kept.Kind != 0 {
			made.put(kept)
		}
	}
	if !changed {
		return directory, nil
	}
	directory.Digest = Digest{}
	if data := made.encode(); len(data) > 0 {
		directory.Digest, err = s.sink(s.ctx, data)
	}
	return directory, err
}

// entry returns what becomes of one entry; its Kind is 0 when it is left out.
func (s *subsetter) entry(e Entry, last, depth int) (Entry, error) {
	if err := s.count(); err != nil {
		return Entry{}, err
	}
	about := subject{path: e.Path, name: lastComponent(e.Path), isDirectory: e.Kind == KindDirectory}
	v := s.selection.judge(about, last)
	s.mark(about)
	if !about.isDirectory || !s.divides(e.Path, v) {
		if !v.selected {
			return Entry{}, nil
		}
		return e, nil
	}
	kept, err := s.part(e, v.last, depth+1)
	if err != nil || kept.Digest.IsZero() || kept.Digest.Size() == 0 && !v.selected {
		return Entry{}, err
	}
	return kept, nil
}

// divides reports whether below the directory at path there may be something
// with another verdict, or something that a pattern has yet to match.
func (s *subsetter) divides(path string, v verdict) bool {
	for i := range s.selection.selectors {
		one := &s.selection.selectors[i]
		other := i > v.last && one.negated == v.selected
		if (other || one.must && !s.matched[i]) && one.reaches(path) {
			return true
		}
	}
	return false
}

// mark notes which of the patterns that have to match something match here.
func (s *subsetter) mark(about subject) {
	for i := range s.selection.selectors {
		one := &s.selection.selectors[i]
		if one.must && !s.matched[i] && one.matches(about) {
			s.matched[i] = true
		}
	}
}

// unmatched is an error for patterns that had to match and did not.
func (s *subsetter) unmatched() error {
	var problems []error
	for i := range s.selection.selectors {
		if one := &s.selection.selectors[i]; one.must && !s.matched[i] {
			problems = append(problems, fmt.Errorf("%w %q: it matches nothing in the tree; check the spelling", ErrPattern, one.written))
		}
	}
	return errors.Join(problems...)
}
