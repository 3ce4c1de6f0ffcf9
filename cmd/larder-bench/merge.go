package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/digest"
)

// mergeSubject is a store with trees to merge. Their files are nowhere: a merge
// does not look at them.
type mergeSubject struct {
	dir   string
	blobs *cas.Store
}

func newMergeSubject(b *bench) (*mergeSubject, error) {
	dir := b.path("store-merge")
	if err := layers.RemoveTree(dir); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	layout, err := caches.OpenLayout(dir)
	if err != nil {
		return nil, err
	}
	return &mergeSubject{dir, cas.Open(layout, digest.BLAKE3)}, nil
}

// tree stores a tree of files, whose content is their own name.
func (s *mergeSubject) tree(ctx context.Context, paths []string) (digest.Digest, error) {
	var entries []digest.Entry
	for _, path := range paths {
		entries = append(entries, digest.Entry{Path: path, Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte(path))})
	}
	tree, err := digest.FromEntries(digest.BLAKE3, entries)
	if err != nil {
		return digest.Digest{}, err
	}
	return tree.Root, s.blobs.AddDirectories(ctx, tree.Directories())
}

// merge is the command that merges trees.
func (s *mergeSubject) merge(b *bench, roots []string) program {
	return program{argv: slices.Concat([]string{b.larder, "digest", "merge"}, roots), dir: b.dir, env: []string{"LARDER_STORE=" + s.dir, "LARDER_DIGEST_FUNCTION=blake3"}}
}

// mergedTrees is how many trees are merged, each of a thousand files in ten
// directories, half of which every other tree has too.
const mergedTrees = 1000

func filesOf(tree int) []string {
	var paths []string
	for n := range 500 {
		paths = append(paths, fmt.Sprintf("d%d/common-%d", n%10, n), fmt.Sprintf("d%d/tree-%d-%d", n%10, tree, n))
	}
	return paths
}

// mergeAgainstLinks merges many trees, and measures cp -al of the same ones into
// one folder.
func mergeAgainstLinks(ctx context.Context, b *bench) ([]row, error) {
	subject, err := newMergeSubject(b)
	if err != nil {
		return nil, err
	}
	defer layers.RemoveTree(subject.dir) // what stays costs space only
	folder := b.path("merge")
	defer os.RemoveAll(folder)
	if err := os.RemoveAll(folder); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	var roots []string
	for n := range mergedTrees {
		root, err := subject.tree(ctx, filesOf(n))
		if err == nil {
			err = linkedFiles(filepath.Join(folder, fmt.Sprint("t", n)), filepath.Join(folder, fmt.Sprint("seed", n/40)), filesOf(n))
		}
		if err != nil {
			return nil, err
		}
		roots = append(roots, root.String())
	}
	links := program{argv: []string{"sh", "-c", "mkdir all && for t in t*; do cp -alf $t/. all || exit; done"}, dir: folder,
		before: func() error { return os.RemoveAll(filepath.Join(folder, "all")) }}
	// Once is enough for what takes seconds, and the peer takes most of a minute.
	ours, err := subject.merge(b, roots).once(ctx)
	if err != nil {
		return nil, err
	}
	peer, err := links.once(ctx)
	if err != nil {
		return nil, err
	}
	ratio := float64(ours) / float64(peer)
	rows := []row{{"merge of 1000 trees of 1000 files, half of them in every tree, against `cp -al` of the same trees", ms(ours), ms(peer), fmt.Sprintf("%.1f times faster", 1/ratio), "faster", ratio < 1}}
	million, err := mergeOfAMillion(ctx, b, subject)
	return append(rows, million...), err
}

// linkedFiles makes a folder of hard links to one file.
func linkedFiles(folder, to string, paths []string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("make files: %w", err)
	}
	if err := os.WriteFile(to, []byte("content"), 0o644); err != nil {
		return fmt.Errorf("make files: %w", err)
	}
	for _, path := range paths {
		path = filepath.Join(folder, path)
		err := os.Link(to, path)
		if os.IsNotExist(err) {
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				err = os.Link(to, path)
			}
		}
		if err != nil {
			return fmt.Errorf("make files: %w", err)
		}
	}
	return nil
}

// mergeOfAMillion measures the time and the memory of a merge that gives a tree
// of a million entries, in a thousand directories and in a single one.
func mergeOfAMillion(ctx context.Context, b *bench, subject *mergeSubject) ([]row, error) {
	var rows []row
	for _, one := range []struct {
		what   string
		path   func(n int) string
		memory int64
	}{
		{"in 1000 directories", func(n int) string { return fmt.Sprintf("d%d/f%d", n%1000, n) }, 128},
		{"in one directory", func(n int) string { return fmt.Sprintf("f%d", n) }, 1024},
	} {
		var halves [2][]string
		for n := range 1_000_000 {
			halves[n/1000%2] = append(halves[n/1000%2], one.path(n))
		}
		var roots []string
		for _, half := range halves {
			root, err := subject.tree(ctx, half)
			if err != nil {
				return nil, err
			}
			roots = append(roots, root.String())
		}
		merge := subject.merge(b, roots)
		command := exec.CommandContext(ctx, merge.argv[0], merge.argv[1:]...)
		command.Dir, command.Env = merge.dir, append(os.Environ(), merge.env...)
		begin := time.Now()
		peak, err := highWater(command)
		took := time.Since(begin)
		if err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
		rows = append(rows, row{"merge of two trees into one of a million files " + one.what + ", time", ms(took), "", ms(took), "5 s", took < 5*time.Second},
			row{"the same, peak memory", fmt.Sprintf("%d MiB", peak), "", fmt.Sprintf("%d MiB", peak), fmt.Sprintf("%d MiB", one.memory), peak < one.memory})
	}
	return rows, nil
}
