package digest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrCollision marks a path at which there is already something else.
var ErrCollision = errors.New("path is taken")

// Graft puts whole trees at paths of another tree: at has the root digest of
// each by its clean relative path, or "." for the root of an empty tree.
// Directories on the way are made. It returns the new root and the messages of
// the directories that it made, which have to be stored; all others are the
// source's already.
//
// What is at a path already is ErrCollision, unless it is the same tree, and so
// is a file or link on the way. Paths may lie in each other; the outer tree
// then comes first.
func Graft(ctx context.Context, src Source, root Digest, at map[string]Digest) (Digest, Directories, error) {
	g := grafter{ctx: ctx, src: src, made: Directories{}}
	for _, path := range slices.SortedFunc(maps.Keys(at), ComparePaths) {
		if path != "." {
			if err := checkPath(path); err != nil {
				return Digest{}, nil, err
			}
		}
		// A tree that is not there is better found now than in the sandbox.
		if _, err := readDirectory(ctx, src, at[path], path); err != nil {
			return Digest{}, nil, err
		}
		var err error
		if root, err = g.place(root, path, at[path]); err != nil {
			return Digest{}, nil, fmt.Errorf("put tree %s at %q: %w", at[path], path, err)
		}
	}
	return root, g.reachable(root), nil
}

type grafter struct {
	ctx  context.Context
	src  Source
	made Directories
}

// Blob finds directories that were made before those of the source.
func (g *grafter) Blob(ctx context.Context, d Digest) ([]byte, error) {
	if data, ok := g.made[d]; ok {
		return data, nil
	}
	return g.src.Blob(ctx, d)
}

// place returns the digest of the directory root with tree put at path in it.
func (g *grafter) place(root Digest, path string, tree Digest) (Digest, error) {
	if path == "." {
		if root != tree && root.Size() != 0 {
			return Digest{}, fmt.Errorf("%w: the root is not empty", ErrCollision)
		}
		return tree, nil
	}
	return g.placeIn(root, "", path, tree)
}

// placeIn puts tree at rest below the directory here, whose path is above.
func (g *grafter) placeIn(here Digest, above, rest string, tree Digest) (Digest, error) {
	dir, err := readDirectory(g.ctx, g, here, above)
	if err != nil {
		return Digest{}, err
	}
	name, deeper, more := strings.Cut(rest, "/")
	there, found := dir.find(above, name)
	path := strings.TrimPrefix(above+"/"+name, "/")
	switch {
	case found && there.Kind != KindDirectory:
		return Digest{}, fmt.Errorf("%w: %q is a %s", ErrCollision, path, there.Kind)
	case found && !more && there.Digest != tree:
		return Digest{}, fmt.Errorf("%w: %q is another directory", ErrCollision, path)
	}
	if more {
		below := there.Digest
		if !found {
			below = g.add(tree.Function(), Directory{})
		}
		if tree, err = g.placeIn(below, path, deeper, tree); err != nil {
			return Digest{}, err
		}
	}
	return g.add(here.Function(), dir.with(Sub{name, tree})), nil
}

// with returns d with sub in it, in the place of one of the same name.
func (d Directory) with(sub Sub) Directory {
	i, found := slices.BinarySearchFunc(d.Directories, sub.Name, func(s Sub, name string) int { return strings.Compare(s.Name, name) })
	d.Directories = slices.Clone(d.Directories)
	if found {
		d.Directories[i] = sub
	} else {
		d.Directories = slices.Insert(d.Directories, i, sub)
	}
	return d
}

// add keeps the message of d.
func (g *grafter) add(fn Function, d Directory) Digest {
	data := d.encode()
	name := Of(fn, data)
	g.made[name] = data
	return name
}

// reachable returns those made directories that root still leads to; others
// were steps on the way.
func (g *grafter) reachable(root Digest) Directories {
	kept := Directories{}
	todo := []Digest{root}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		data, made := g.made[d]
		if _, done := kept[d]; !made || done {
			continue
		}
		kept[d] = data
		dir, err := DecodeDirectory(d.Function(), data)
		if err != nil {
			continue // it was encoded here, so it decodes
		}
		for _, sub := range dir.Directories {
			todo = append(todo, sub.Digest)
		}
	}
	return kept
}
