package digest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
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
	directoryFiles       protowire.Number = 1
	directoryDirectories protowire.Number = 2
	directorySymlinks    protowire.Number = 3
	nodeName             protowire.Number = 1
	nodeDigest           protowire.Number = 2
	nodeTarget           protowire.Number = 2
	fileExecutable       protowire.Number = 4
	digestHash           protowire.Number = 1
	digestSize           protowire.Number = 2
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
		size := stringSize(f.Name) + digestNodeSize(f.Digest)
		if f.Executable {
			size += 2
		}
		out = appendNode(out, directoryFiles, size, f.Name)
		out = appendDigest(out, f.Digest)
		if f.Executable {
			out = protowire.AppendTag(out, fileExecutable, protowire.VarintType)
			out = protowire.AppendVarint(out, 1)
		}
	}
	for _, s := range d.Directories {
		out = appendNode(out, directoryDirectories, stringSize(s.Name)+digestNodeSize(s.Digest), s.Name)
		out = appendDigest(out, s.Digest)
	}
	for _, l := range d.Symlinks {
		out = appendNode(out, directorySymlinks, stringSize(l.Name)+stringSize(l.Target), l.Name)
		out = protowire.AppendTag(out, nodeTarget, protowire.BytesType)
		out = protowire.AppendString(out, l.Target)
	}
	return out
}

// appendNode starts a node of the given size and writes its name.
func appendNode(out []byte, field protowire.Number, size int, name string) []byte {
	out = protowire.AppendTag(out, field, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(size))
	out = protowire.AppendTag(out, nodeName, protowire.BytesType)
	return protowire.AppendString(out, name)
}

func appendDigest(out []byte, d Digest) []byte {
	out = protowire.AppendTag(out, nodeDigest, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(digestSizeOf(d)))
	out = protowire.AppendTag(out, digestHash, protowire.BytesType)
	out = protowire.AppendVarint(out, 2*hashBytes)
	out = hex.AppendEncode(out, d.hash[:])
	if d.size != 0 {
		out = protowire.AppendTag(out, digestSize, protowire.VarintType)
		out = protowire.AppendVarint(out, uint64(d.size))
	}
	return out
}

// stringSize is the encoded size of a string field with a one-byte tag.
func stringSize(text string) int { return 1 + protowire.SizeBytes(len(text)) }

// digestNodeSize is the encoded size of a digest field with a one-byte tag.
func digestNodeSize(d Digest) int { return 1 + protowire.SizeBytes(digestSizeOf(d)) }

// digestSizeOf is the encoded size of a Digest message.
func digestSizeOf(d Digest) int {
	size := 1 + protowire.SizeBytes(2*hashBytes)
	if d.size != 0 {
		size += 1 + protowire.SizeVarint(uint64(d.size))
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
