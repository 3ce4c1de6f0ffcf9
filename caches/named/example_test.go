package named_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/named"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Example checks a cache out, adds to it, and publishes that as its next
// generation.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-*")
	check(err)
	defer os.RemoveAll(dir)
	layout, err := caches.OpenLayout(dir)
	check(err)
	store := named.Open(layout, nil)
	name, err := caches.ParseName("words")
	check(err)
	ref := caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.GlobalScope()}

	for _, word := range []string{"one", "two"} {
		run, err := layers.NewRun(layout)
		check(err)
		checkout, err := store.Checkout(ctx, ref, run, named.CheckoutOptions{})
		check(err)
		// A sandbox would mount checkout.Lowers below checkout.Upper.
		check(os.WriteFile(filepath.Join(checkout.Upper(), word), []byte(word), 0o644))
		outcome, err := checkout.Publish(ctx, named.PublishOptions{})
		check(err)
		fmt.Println(outcome.Result, outcome.Added)
		checkout.Close()
		check(run.Close())
	}
	generations, err := store.History(ref)
	check(err)
	fmt.Println(len(generations), "generations")
	// Output:
	// published 1
	// published 1
	// 2 generations
}
