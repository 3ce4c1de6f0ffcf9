package digest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"larder/digest/wire"
)

// File is a regular file in a [Directory].
type File struct {
	Name       string
	Digest     Digest
	Executable bool
}

// Sub is a directory in a [Directory].
type Sub struct {
	Name   string
	Digest Digest
}

// Symlink is a symbolic link in a [Directory].
type Symlink struct {
	Name   string
	Target string
}

// Directory is the content of one directory: the Directory message of the
// Remote Execution API, without its optional node properties.
type Directory struct {
	Files       []File
	Directories []Sub
	Symlinks    []Symlink
}

// Field numbers of the messages Directory, FileNode, DirectoryNode,
// SymlinkNode and Digest.
const (
	directoryFiles       = 1
	directoryDirectories = 2
	directorySymlinks    = 3
	nodeName             = 1
	nodeDigest           = 2
	nodeTarget           = 2
	fileExecutable       = 4
	digestHash           = 1
	digestSize           = 2
)

// Encode returns the message in its canonical form: names sorted, the fields
// in the order of their numbers, defaults left out. It refuses names and
// targets that [DecodeDirectory] would refuse, and names that occur twice.
func (d Directory) Encode() ([]byte, error) {
	d = Directory{slices.Clone(d.Files), slices.Clone(d.Directories), slices.Clone(d.Symlinks)}
	slices.SortFunc(d.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Directories, func(a, b Sub) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Symlinks, func(a, b Symlink) int { return cmp.Compare(a.Name, b.Name) })
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.encode(), nil
}

// encode writes a directory that is valid and sorted.
func (d Directory) encode() []byte {
	out := make([]byte, 0, 112*(len(d.Files)+len(d.Directories))+64*len(d.Symlinks))
	for _, f := range d.Files {
		size := wire.SizeBytes(len(f.Name)) + sizeDigestNode(f.Digest)
		if f.Executable {
			size += wire.SizeVarint(1)
		}
		out = startNode(out, directoryFiles, size, f.Name)
		out = appendDigest(out, f.Digest)
		if f.Executable {
			out = wire.AppendVarint(out, fileExecutable, 1)
		}
	}
	for _, s := range d.Directories {
		out = startNode(out, directoryDirectories, wire.SizeBytes(len(s.Name))+sizeDigestNode(s.Digest), s.Name)
		out = appendDigest(out, s.Digest)
	}
	for _, l := range d.Symlinks {
		out = startNode(out, directorySymlinks, wire.SizeBytes(len(l.Name))+wire.SizeBytes(len(l.Target)), l.Name)
		out = wire.AppendBytes(out, nodeTarget, l.Target)
	}
	return out
}

// startNode starts a node of the given size and writes its name.
func startNode(out []byte, field, size int, name string) []byte {
	return wire.AppendBytes(wire.AppendLength(out, field, size), nodeName, name)
}

func appendDigest(out []byte, d Digest) []byte {
	out = wire.AppendLength(out, nodeDigest, sizeDigest(d))
	out = hex.AppendEncode(wire.AppendLength(out, digestHash, 2*hashBytes), d.hash[:])
	if d.size != 0 {
		out = wire.AppendVarint(out, digestSize, uint64(d.size))
	}
	return out
}

// sizeDigestNode is the encoded size of a field with a digest.
func sizeDigestNode(d Digest) int { return wire.SizeBytes(sizeDigest(d)) }

// sizeDigest is the encoded size of a Digest message.
func sizeDigest(d Digest) int {
	size := wire.SizeBytes(2 * hashBytes)
	if d.size != 0 {
		size += wire.SizeVarint(uint64(d.size))
	}
	return size
}

// check holds a sorted directory against the rules of its form.
func (d Directory) check() error {
	names := make([]string, 0, len(d.Files)+len(d.Directories)+len(d.Symlinks))
	for _, f := range d.Files {
		names = append(names, f.Name)
		if f.Digest.IsZero() {
			return fmt.Errorf("%w: file %q has no digest", ErrTree, clip(f.Name))
		}
	}
	for _, s := range d.Directories {
		names = append(names, s.Name)
		if s.Digest.IsZero() {
			return fmt.Errorf("%w: directory %q has no digest", ErrTree, clip(s.Name))
		}
	}
	for _, l := range d.Symlinks {
		names = append(names, l.Name)
		if err := checkTarget(l.Name, l.Target); err != nil {
			return err
		}
	}
	return checkUnique(names)
}

// checkUnique checks each name by itself, and that none occurs twice.
func checkUnique(names []string) error {
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return fmt.Errorf("%w: name %q occurs twice in one directory", ErrTree, clip(names[i]))
		}
	}
	return nil
}
