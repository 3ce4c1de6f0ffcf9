package digest

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// ErrTree marks a tree, directory message or list of entries that breaks a rule
// of its form: bad or repeated names, unsorted names, broken encoding, limits.
var ErrTree = errors.New("invalid tree")

// ErrPath marks a path, of those who ask, that is not one in a tree: it is not
// clean, or leads out of it.
var ErrPath = errors.New("invalid path")

// Kind says what an [Entry] is.
type Kind uint8

const (
	// KindFile is a regular file.
	KindFile Kind = iota + 1
	// KindDirectory is a directory.
	KindDirectory
	// KindSymlink is a symbolic link, never followed.
	KindSymlink
)

// String returns "file", "directory" or "symlink".
func (k Kind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindDirectory:
		return "directory"
	case KindSymlink:
		return "symlink"
	}
	return "unknown"
}

// Entry is one file, directory or symbolic link of a tree.
type Entry struct {
	// Path is relative to the root of the tree, with slashes, clean.
	Path string
	Kind Kind
	// Executable is set for files with the executable bit.
	Executable bool
	// Digest is of the content of a file, or of the message of a directory.
	// A symbolic link has none.
	Digest Digest
	// Target is where a symbolic link points, as it was written.
	Target string
}

// Directories holds encoded Directory messages by their digests.
type Directories map[Digest][]byte

// Stats counts the work of a scan.
type Stats struct {
	// Files is the number of regular files in the tree.
	Files int
	// HashedFiles is how many of them had to be read, since no index knew them.
	HashedFiles int
	// HashedBytes is how many bytes that was.
	HashedBytes int64
}

// ComparePaths orders clean relative paths component by component: a directory
// comes directly before what is in it, and siblings are in the order of the
// bytes of their names. It returns -1, 0 or +1.
func ComparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		}
		return 1
	}
	switch {
	case len(a) < len(b):
		return -1
	case len(a) > len(b):
		return 1
	}
	return 0
}

// checkName refuses what cannot be the name of a directory entry.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: a name is empty", ErrTree)
	case name == "." || name == "..":
		return fmt.Errorf("%w: %q is not a name", ErrTree, name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%w: name %q has a slash or a zero byte", ErrTree, clip(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: name %q is not UTF-8", ErrTree, clip(name))
	}
	return nil
}

// checkTarget refuses what cannot be the target of a symbolic link.
func checkTarget(name, target string) error {
	switch {
	case target == "":
		return fmt.Errorf("%w: symbolic link %q has no target", ErrTree, clip(name))
	case strings.Contains(target, "\x00"):
		return fmt.Errorf("%w: the target of symbolic link %q has a zero byte", ErrTree, clip(name))
	case !utf8.ValidString(target):
		return fmt.Errorf("%w: the target %q of symbolic link %q is not UTF-8", ErrTree, clip(target), clip(name))
	}
	return nil
}

// checkPath refuses what is not a clean path below the root.
func checkPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(name); err != nil {
			return fmt.Errorf("path %q: %w", clip(path), err)
		}
	}
	return nil
}

// checkGiven refuses a path of a caller that is not clean and below the root, and
// says how to write it.
func checkGiven(given string) error {
	clean := path.Clean(given)
	why := ""
	switch {
	case given == "":
		why = "it is empty; . is the root of the tree"
	case !utf8.ValidString(given):
		why = "it is not UTF-8"
	case strings.ContainsRune(given, 0):
		why = "it has a zero byte"
	case path.IsAbs(given):
		why = "it is absolute; write it relative to the root of the tree"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		why = "it leads out of the tree"
	case clean != given || given == ".":
		why = "write it as " + Quote(clip(clean))
	default:
		return nil
	}
	return fmt.Errorf("%w %q: %s", ErrPath, clip(given), why)
}
