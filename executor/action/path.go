package action

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"larder/caches"
)

// Path is a place below the working directory /build: relative, clean, never
// leaving it, and never the working directory itself. Only [ParsePath] makes
// one. It is comparable.
type Path struct{ text string }

// ParsePath checks text. A trailing slash and "./" are cleaned away; what names
// the role of the path in messages: "output", "cache mypy".
func ParsePath(what, text string) (Path, error) {
	refuse := func(why string) (Path, error) {
		return Path{}, fmt.Errorf("%w %s path %q: %s", caches.ErrInvalid, what, text, why)
	}
	switch {
	case text == "":
		return refuse("it is empty; give a path relative to /build")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return refuse("it is not valid UTF-8 text")
	case path.IsAbs(text):
		return refuse("it is absolute; give a path relative to /build")
	}
	clean := path.Clean(text)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return refuse("it leaves /build; give a path below it")
	}
	if clean == "." {
		return refuse("it is /build itself; give a path below it")
	}
	return Path{clean}, nil
}

// String returns the path with slashes, relative to /build.
func (p Path) String() string { return p.text }

// nested lists each of paths that is another one again, or inside of one, with the
// nearest of those that it is inside of, the one that came first in front. It takes
// time in proportion to the paths and their depth: a build tool may declare thousands.
func nested(paths []Path) (pairs [][2]Path) {
	if len(paths) < 2 {
		return nil // as in most actions, of which a build has thousands
	}
	first := make(map[string]int, len(paths))
	for i := len(paths) - 1; i >= 0; i-- {
		first[paths[i].text] = i
	}
	for i, inner := range paths {
		for around := inner.text; around != ""; around = around[:max(strings.LastIndexByte(around, '/'), 0)] {
			if k, is := first[around]; is && k != i {
				pairs = append(pairs, [2]Path{paths[min(i, k)], paths[max(i, k)]})
				break
			}
		}
	}
	return pairs
}

// Overlaps reports whether the two are the same or one is inside the other.
func (p Path) Overlaps(other Path) bool {
	return p == other || strings.HasPrefix(p.text, other.text+"/") || strings.HasPrefix(other.text, p.text+"/")
}
