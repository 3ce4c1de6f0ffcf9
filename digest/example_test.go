package digest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"larder/digest"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Example scans a directory into a tree, and takes a part of it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-*")
	check(err)
	defer os.RemoveAll(dir)
	for _, name := range []string{"a.go", "a.txt", "b.go"} {
		check(os.WriteFile(filepath.Join(dir, name), []byte("this is "+name), 0o644))
	}
	tree, err := digest.Scan(ctx, dir, digest.ScanOptions{Function: digest.BLAKE3, Patterns: []string{"."}})
	check(err)
	made := tree.Directories()
	part, err := digest.Subset(ctx, made, made.Sink(digest.BLAKE3), tree.Root, []string{"*.go"})
	check(err)
	check(digest.Fingerprints(ctx, made, part, func(file digest.Entry) error {
		fmt.Println(file.Path, file.Digest.Size())
		return nil
	}))
	// Output:
	// a.go 12
	// b.go 12
}

// What is the same in several trees is there once; what is not is refused, all of
// it at once, unless a policy says what becomes of it.
func ExampleMerge() {
	ctx := context.Background()
	trees := digest.Directories{}
	var producers []digest.Producer
	for _, name := range []string{"one", "two"} {
		tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{
			{Path: "same", Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte("same"))},
			{Path: "log", Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte("made by "+name))},
		})
		check(err)
		for d, message := range tree.Directories() {
			trees[d] = message
		}
		producers = append(producers, digest.Producer{Name: name, Root: tree.Root})
	}
	_, err := digest.Merge(ctx, trees, trees.Sink(digest.BLAKE3), producers, nil)
	var collision *digest.CollisionError
	fmt.Println(errors.As(err, &collision))
	merged, err := digest.Merge(ctx, trees, trees.Sink(digest.BLAKE3), producers, []digest.PathPolicy{{Pattern: "log", Policy: digest.PolicyTolerate}})
	check(err)
	fmt.Println(merged.Duplicates, "duplicate, tolerated:", merged.Tolerated[0].Path)
	// Output:
	// true
	// 1 duplicate, tolerated: log
}
