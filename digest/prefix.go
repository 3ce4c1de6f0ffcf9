package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrPrefix marks a tree that holds more than what is below a prefix.
var ErrPrefix = errors.New("not all of the tree is below the prefix")

// AddPrefix returns the tree that has the tree root at prefix, a clean relative
// path, and nothing else; another path is ErrPath. The prefix "." changes nothing. Of the tree only the
// root is read; the directories above it go to sink.
func AddPrefix(ctx context.Context, src Source, sink Sink, root Digest, prefix string) (Digest, error) {
	if _, err := readDirectory(ctx, src, root, ""); err != nil {
		return Digest{}, fmt.Errorf("add a prefix: %w", err)
	}
	if prefix == "." {
		return root, nil
	}
	names := strings.Split(prefix, "/")
	err := checkGiven(prefix)
	if err == nil {
		err = checkDepth(prefix, len(names))
	}
	for i := len(names) - 1; i >= 0 && err == nil; i-- {
		root, err = sink(ctx, Directory{Directories: []Sub{{names[i], root}}}.encode())
	}
	if err != nil {
		return Digest{}, fmt.Errorf("add prefix %s: %w", Quote(clip(prefix)), err)
	}
	return root, nil
}

// StripPrefix returns the tree at prefix, a clean relative path or ".", of the
// tree root, in which everything has to be below it: what is not is ErrPrefix
// and named, so that nothing is lost unseen ([Lookup] finds a part of a tree).
// A prefix that is not there, or is no directory, wraps [fs.ErrNotExist]. Only the directories on the
// way are read, and the one that is returned.
func StripPrefix(ctx context.Context, src Source, root Digest, prefix string) (Digest, error) {
	here, err := Lookup(ctx, src, root, prefix)
	if err == nil && here.Kind != KindDirectory {
		err = fmt.Errorf("%w as a directory: it is a %s", fs.ErrNotExist, here.Kind)
	}
	if err == nil && prefix != "." {
		err = checkAlone(ctx, src, root, prefix)
	}
	if err == nil {
		_, err = readDirectory(ctx, src, here.Digest, here.Path)
	}
	if err != nil {
		return Digest{}, fmt.Errorf("strip prefix %s: %w", Quote(clip(prefix)), err)
	}
	return here.Digest, nil
}

// checkAlone refuses a tree with something beside the directories of a prefix.
func checkAlone(ctx context.Context, src Source, root Digest, prefix string) error {
	var outside []string
	path, here := "", root
	for name := range strings.SplitSeq(prefix, "/") {
		content, err := readDirectory(ctx, src, here, path)
		if err != nil {
			return err
		}
		for _, e := range content.entries(path) {
			if lastComponent(e.Path) != name {
				outside = append(outside, e.Path)
				continue
			}
			here = e.Digest
		}
		path = strings.TrimPrefix(path+"/"+name, "/")
	}
	if len(outside) > 0 {
		return fmt.Errorf("%w: outside of it is %s", ErrPrefix, listed(outside))
	}
	return nil
}

// Fingerprints calls visit for every file below root, in the order of
// [ComparePaths]: the digest of each is in the tree, so no file is read. An
// error of visit ends it and is returned as it is. Limits are those of [Walk].
func Fingerprints(ctx context.Context, src Source, root Digest, visit func(file Entry) error) error {
	return Walk(ctx, src, root, func(_ string, e Entry) error {
		if e.Kind != KindFile {
			return nil
		}
		return visit(e)
	})
}
