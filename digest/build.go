package digest

import (
	"fmt"
	"slices"
	"strings"
)

// FromEntries makes a tree of a flat list of entries, in any order. Directories
// above an entry need not be listed. The rules are those of [DecodeDirectory]:
// clean relative paths in UTF-8, each at most once, files with digests, links
// with targets; anything else is ErrTree.
//
// A listed directory without a digest is made of the entries below it, and is
// empty when there are none. One with a digest and no entries below it stands
// for the tree of that digest, whose messages are then not in the result. One
// with both has to be what the entries make.
func FromEntries(fn Function, entries []Entry) (*Tree, error) {
	b := builder{fn: fn, tree: &Tree{fn: fn, made: Directories{}}}
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) })
	for i, e := range sorted {
		if err := b.check(e); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Path == e.Path {
			return nil, fmt.Errorf("%w: path %q occurs twice", ErrTree, clip(e.Path))
		}
	}
	root, err := b.directory(sorted, 0)
	if err != nil {
		return nil, err
	}
	b.tree.Root = b.tree.add(fn, root)
	return b.tree, nil
}

// builder makes directories of sorted, checked entries.
type builder struct {
	fn   Function
	tree *Tree
}

// check looks at one entry by itself.
func (b *builder) check(e Entry) error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	if strings.Count(e.Path, "/") > maxDepth {
		return fmt.Errorf("%w: path %q is more than %d directories deep", ErrTree, clip(e.Path), maxDepth)
	}
	if !e.Digest.IsZero() && e.Digest.Function() != b.fn {
		return fmt.Errorf("%w: path %q has a %s digest in a %s tree", ErrTree, clip(e.Path), e.Digest.Function(), b.fn)
	}
	switch e.Kind {
	case KindFile:
		if e.Digest.IsZero() {
			return fmt.Errorf("%w: file %q has no digest", ErrTree, clip(e.Path))
		}
	case KindSymlink:
		return checkTarget(e.Path, e.Target)
	case KindDirectory:
	default:
		return fmt.Errorf("%w: path %q is neither file, directory nor symbolic link", ErrTree, clip(e.Path))
	}
	return nil
}

// directory makes the directory that holds entries, whose paths have the first
// skip bytes in common.
func (b *builder) directory(entries []Entry, skip int) (Directory, error) {
	var d Directory
	for len(entries) > 0 {
		name, _, _ := strings.Cut(entries[0].Path[skip:], "/")
		whole := entries[0].Path[:skip+len(name)]
		n := 1
		for n < len(entries) && below(entries[n].Path, whole) {
			n++
		}
		if err := b.node(&d, whole, entries[:n]); err != nil {
			return d, err
		}
		entries = entries[n:]
	}
	return d, nil
}

// node adds what is at path to d: its own entry, if there is one, comes first,
// and those below it follow.
func (b *builder) node(d *Directory, path string, entries []Entry) error {
	name := path[strings.LastIndexByte(path, '/')+1:]
	own := Entry{Path: path, Kind: KindDirectory}
	if entries[0].Path == path {
		own, entries = entries[0], entries[1:]
	}
	if own.Kind != KindDirectory && len(entries) > 0 {
		return fmt.Errorf("%w: %q is a %s, and %q is below it", ErrTree, clip(path), own.Kind, clip(entries[0].Path))
	}
	switch own.Kind {
	case KindFile:
		d.Files = append(d.Files, File{name, own.Digest, own.Executable})
	case KindSymlink:
		d.Symlinks = append(d.Symlinks, Symlink{name, own.Target})
	case KindDirectory:
		var err error
		if own.Digest, err = b.sub(own, entries); err != nil {
			return err
		}
		d.Directories = append(d.Directories, Sub{name, own.Digest})
	}
	if len(entries) == 0 {
		b.tree.entries = append(b.tree.entries, own)
	}
	if own.Kind == KindFile {
		b.tree.Stats.Files++
	}
	return nil
}

// sub returns the digest of the directory own with the entries below it.
func (b *builder) sub(own Entry, entries []Entry) (Digest, error) {
	if !own.Digest.IsZero() && len(entries) == 0 && own.Digest != Of(b.fn, nil) {
		return own.Digest, nil
	}
	made, err := b.directory(entries, len(own.Path)+1)
	if err != nil {
		return Digest{}, err
	}
	content := b.tree.add(b.fn, made)
	if !own.Digest.IsZero() && own.Digest != content {
		return Digest{}, fmt.Errorf("%w: directory %q is listed as %s, the entries below it make %s", ErrTree, clip(own.Path), own.Digest, content)
	}
	return content, nil
}

// add stores an encoded directory, whose names are valid and sorted.
func (t *Tree) add(fn Function, d Directory) Digest {
	data := d.encode()
	name := Of(fn, data)
	t.made[name] = data
	return name
}
