package digest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrPattern marks an input pattern that is malformed, leaves the root, or
// names what is not there.
var ErrPattern = errors.New("bad input pattern")

// selector is one pattern of a selection.
type selector struct {
	rule
	written string // as the user wrote it
	all     bool   // the pattern `.`
	// rooted has a literal pattern as the one path that it names outright.
	rooted string
	// must is set when it is an error that the pattern matches nothing.
	must bool
	// levels has the components of an anchored glob, for looking ahead.
	levels []string
}

// selection decides what of a directory is taken. It is not changed once made.
type selection struct {
	selectors []selector
	excluded  []string // sorted
}

// CheckPatterns says what is wrong with patterns before there is a tree: it wraps
// ErrPattern, as [Scan] and [Subset] would. None at all is right.
func CheckPatterns(patterns []string) error {
	_, err := newSelection(patterns, nil)
	return err
}

// newSelection checks patterns and excluded paths.
func newSelection(patterns, exclude []string) (*selection, error) {
	s := &selection{excluded: slices.Clone(exclude)}
	slices.Sort(s.excluded)
	var problems []error
	for _, text := range patterns {
		one, err := newSelector(text)
		if err != nil {
			problems = append(problems, err)
		}
		s.selectors = append(s.selectors, one)
	}
	for _, p := range exclude {
		if p == "" || path.Clean(p) != p || strings.HasPrefix(p, "../") || p == ".." || path.IsAbs(p) {
			problems = append(problems, fmt.Errorf("%w: excluded path %q is not a clean path under the root", ErrPattern, p))
		}
	}
	return s, errors.Join(problems...)
}

func newSelector(text string) (selector, error) {
	s := selector{written: text}
	line := trimSpaces(text)
	if strings.HasPrefix(line, "!") {
		s.negated, line = true, line[1:]
	}
	if line == "." || line == "./" {
		s.all = true
		return s, nil
	}
	// "./x" is what shells complete; it names x in the root itself.
	if strings.HasPrefix(line, "./") {
		line = line[1:]
	}
	parsed, ok := s.finish(line)
	if !ok {
		return s, fmt.Errorf("%w %q: it selects nothing; use . for everything", ErrPattern, text)
	}
	s.rule = parsed
	s.levels = strings.Split(s.prefix+s.text, "/")
	for _, level := range s.levels {
		switch level {
		case "..":
			return s, fmt.Errorf("%w %q: it leaves the root; name a path under the root, or another root", ErrPattern, text)
		case "", ".":
			return s, fmt.Errorf("%w %q: write it without empty or . components", ErrPattern, text)
		}
	}
	if s.literal && !s.negated {
		s.rooted = s.text
	}
	s.must = !s.negated && (s.literal || strings.HasPrefix(line, "/"))
	return s, nil
}

// verdict is what a selection says about one entry.
type verdict struct {
	// last is the last selector that matches the entry or a directory above
	// it, or -1. It decides.
	last int
	// selected is set when that selector selects.
	selected bool
	// named is set when a selector that selects names exactly this path.
	named bool
}

// judge looks at one entry. The verdict on the directory that it is in is
// given as inherited; matched is called with each selector that matches.
func (s *selection) judge(about subject, inherited int) (v verdict) {
	v.last = inherited
	for i := len(s.selectors) - 1; i > inherited; i-- {
		if one := &s.selectors[i]; !one.all && one.matches(about) {
			v.last = i
			break
		}
	}
	v.selected = v.last >= 0 && !s.selectors[v.last].negated
	if v.selected {
		v.named = s.names(about)
	}
	return v
}

// names reports whether a literal pattern is exactly the path of the entry.
func (s *selection) names(about subject) bool {
	for i := range s.selectors {
		if one := &s.selectors[i]; one.rooted == about.path && (about.isDirectory || !one.dirOnly) {
			return true
		}
	}
	return false
}

// namesBelow reports whether a literal pattern names a path below p.
func (s *selection) namesBelow(p string) bool {
	for i := range s.selectors {
		if below(s.selectors[i].rooted, p) {
			return true
		}
	}
	return false
}

// below reports whether p is under the directory dir.
func below(p, dir string) bool {
	return len(p) > len(dir)+1 && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// excludes reports whether p is one of the excluded paths.
func (s *selection) excludes(p string) bool {
	if len(s.excluded) == 0 {
		return false
	}
	_, found := slices.BinarySearch(s.excluded, p)
	return found
}

// reaches reports whether a selector after last could match something below
// the directory dir, so that it has to be looked at. It may say yes too often.
func (s *selection) reaches(dir string, last int) bool {
	for i := last + 1; i < len(s.selectors); i++ {
		if one := &s.selectors[i]; !one.negated && one.reaches(dir) {
			return true
		}
	}
	return false
}

func (one *selector) reaches(dir string) bool {
	switch {
	case !one.anchored || one.all:
		return true
	case one.literal:
		return below(one.text, dir)
	case strings.Contains(one.text, "["), strings.Contains(one.text, `\`):
		return true // a class may hold a slash, which components would split
	}
	names := strings.Split(dir, "/")
	for i, name := range names {
		switch {
		case i == len(one.levels):
			return false
		case strings.Contains(one.levels[i], "**"):
			return true
		case !wildmatch(one.levels[i], name):
			return false
		}
	}
	return len(one.levels) > len(names)
}

// start returns the verdict on the root: what `.` says.
func (s *selection) start() int {
	last := -1
	for i := range s.selectors {
		if s.selectors[i].all {
			last = i
		}
	}
	return last
}
