package executor_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
)

// check ends an example that went wrong.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Example runs an action with a named cache, twice, and looks at what came of it.
func Example() {
	ctx := context.Background()
	work, err := os.MkdirTemp("", "larder-example-*")
	check(err)
	defer os.RemoveAll(work)

	store, err := local.OpenStore(filepath.Join(work, "store"), digest.BLAKE3)
	check(err)
	line := executor.New(store.Inputs(), local.New(store.Config()), store.Results(), store.Blobs)

	spec := action.Spec{
		Argv:    []string{"sh", "-c", "echo once more >>notes/all; wc -l <notes/all >count"},
		Outputs: []string{"count"},
		Caches:  []action.CacheSpec{{Name: "notes", Mode: "mutable", Path: "notes"}},
	}
	wanted, err := spec.Validate(work)
	check(err)
	for range 2 {
		result, err := line.Run(ctx, executor.Request{Action: wanted})
		check(err)
		count, err := os.ReadFile(filepath.Join(work, "count"))
		check(err)
		fmt.Printf("%s, cache %s, count %s", result.Status, result.Caches[0].Outcome, count)
	}
	// Output:
	// ok, cache published, count 1
	// ok, cache published, count 2
}

// Kept results answer an action that was run before; the trees that actions make
// are merged without a look at their files.
func ExampleExecutor_Run() {
	ctx := context.Background()
	work, err := os.MkdirTemp("", "larder-example-*")
	check(err)
	defer os.RemoveAll(work)
	store, err := local.OpenStore(filepath.Join(work, "store"), digest.BLAKE3)
	check(err)
	line := executor.New(store.Inputs(), local.New(store.Config()), store.Results(), store.Blobs)

	var made []digest.Producer
	for _, name := range []string{"one", "two", "one"} {
		wanted, err := action.Spec{Argv: []string{"sh", "-c", "echo " + name + " >" + name}, Outputs: []string{name}}.Validate(work)
		check(err)
		result, err := line.Run(ctx, executor.Request{
			Action: wanted, Results: executor.ResultPolicy{Read: true, Write: true}, OutputTo: executor.OutputNone,
		})
		check(err)
		fmt.Printf("%s: %s, cached: %s\n", name, result.Status, result.Cached)
		tree, err := digest.Parse(digest.BLAKE3, result.OutputDigest)
		check(err)
		made = append(made, digest.Producer{Name: name, Root: tree})
	}

	merged, err := digest.Merge(ctx, store.Blobs, store.Blobs.Add, made, nil)
	check(err)
	check(digest.Fingerprints(ctx, store.Blobs, merged.Root, func(file digest.Entry) error {
		fmt.Println(file.Path, file.Digest.Size())
		return nil
	}))
	// Output:
	// one: ok, cached: no
	// two: ok, cached: no
	// one: ok, cached: local
	// one 4
	// two 4
}
