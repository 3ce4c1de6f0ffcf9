package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Source is where encoded directories come from: a store, or [Directories].
type Source interface {
	// Blob returns the content that d names. The caller does not change it.
	Blob(ctx context.Context, d Digest) ([]byte, error)
}

// Blob returns the message of the directory d, or an error that wraps
// [fs.ErrNotExist]. It makes Directories a [Source].
func (m Directories) Blob(_ context.Context, d Digest) ([]byte, error) {
	data, ok := m[d]
	if !ok {
		return nil, fmt.Errorf("directory %s: %w", d, fs.ErrNotExist)
	}
	return data, nil
}

// Walk calls visit for every entry below root, in the order of [ComparePaths],
// reading each directory when it is reached. When visit returns [fs.SkipDir]
// for a directory, what is in it is left out; any other error ends the walk and
// is returned as it is. A tree of more than a thousand levels or ten million
// entries is refused with ErrTree, as is content that is not what its digest
// says.
func Walk(ctx context.Context, src Source, root Digest, visit func(path string, entry Entry) error) error {
	w := walker{reader: newReader(ctx, src), visit: visit}
	return w.walk(root, "", 0)
}

type walker struct {
	*reader
	visit func(path string, entry Entry) error
}

func (w *walker) walk(d Digest, path string, depth int) error {
	dir, err := w.directory(d, path, depth)
	if err != nil {
		return err
	}
	for _, e := range dir.entries(path) {
		if err := w.count(); err != nil {
			return err
		}
		err := w.visit(e.Path, e)
		if err == nil && e.Kind == KindDirectory {
			err = w.walk(e.Digest, e.Path, depth+1)
		} else if errors.Is(err, fs.SkipDir) && e.Kind == KindDirectory {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readDirectory gets and checks one directory; path says where it is, in errors.
func readDirectory(ctx context.Context, src Source, d Digest, path string) (Directory, error) {
	if err := ctx.Err(); err != nil {
		return Directory{}, err
	}
	if d.Size() > maxMessage {
		return Directory{}, fmt.Errorf("%w: directory %q should have a message of %d bytes, which is more than %d", ErrTree, pathOrDot(path), d.Size(), maxMessage)
	}
	data, err := src.Blob(ctx, d)
	if err != nil {
		return Directory{}, fmt.Errorf("read directory %q of a tree: %w", pathOrDot(path), err)
	}
	if got := Of(d.Function(), data); got != d {
		return Directory{}, fmt.Errorf("%w: directory %q should be %s, its content is %s", ErrTree, pathOrDot(path), d, got)
	}
	dir, err := DecodeDirectory(d.Function(), data)
	if err != nil {
		return Directory{}, fmt.Errorf("read directory %q of a tree: %w", pathOrDot(path), err)
	}
	return dir, nil
}

// entries returns what is in a directory at path, sorted by name.
func (d Directory) entries(path string) []Entry {
	if path != "" {
		path += "/"
	}
	entries := make([]Entry, 0, len(d.Files)+len(d.Directories)+len(d.Symlinks))
	for _, f := range d.Files {
		entries = append(entries, Entry{Path: path + f.Name, Kind: KindFile, Executable: f.Executable, Digest: f.Digest})
	}
	for _, s := range d.Directories {
		entries = append(entries, Entry{Path: path + s.Name, Kind: KindDirectory, Digest: s.Digest})
	}
	for _, l := range d.Symlinks {
		entries = append(entries, Entry{Path: path + l.Name, Kind: KindSymlink, Target: l.Target})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries
}

// find returns the entry called name in a directory at path.
func (d Directory) find(path, name string) (Entry, bool) {
	entries := d.entries(path)
	i, found := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int {
		return strings.Compare(lastComponent(e.Path), name)
	})
	if !found {
		return Entry{}, false
	}
	return entries[i], true
}

func lastComponent(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Lookup returns the entry at path in a tree; "." is the root. It reads only
// the directories on the way and follows no links. A path that is not there is
// an error that wraps [fs.ErrNotExist], and one that is not clean is ErrPath.
func Lookup(ctx context.Context, src Source, root Digest, path string) (Entry, error) {
	here := Entry{Kind: KindDirectory, Digest: root}
	if path == "." {
		here.Path = "."
		return here, nil
	}
	if err := checkGiven(path); err != nil {
		return Entry{}, err
	}
	for name := range strings.SplitSeq(path, "/") {
		if here.Kind != KindDirectory {
			return Entry{}, fmt.Errorf("look up %q: %q is a %s: %w", path, here.Path, here.Kind, fs.ErrNotExist)
		}
		dir, err := readDirectory(ctx, src, here.Digest, here.Path)
		if err != nil {
			return Entry{}, err
		}
		next, found := dir.find(here.Path, name)
		if !found {
			return Entry{}, fmt.Errorf("look up %q: no %q in %q: %w", path, name, pathOrDot(here.Path), fs.ErrNotExist)
		}
		here = next
	}
	return here, nil
}
