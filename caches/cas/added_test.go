package cas

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/digest"
)

// added scans root and adds what is there, after all times are past the clock's
// grain.
func added(t *testing.T, store *Store, root string) *digest.Tree {
	t.Helper()
	time.Sleep(clockGrain + 10*time.Millisecond)
	tree, err := digest.Scan(t.Context(), root, digest.ScanOptions{Function: digest.BLAKE3, Patterns: []string{"."}})
	if err == nil {
		err = store.AddTree(t.Context(), tree, root)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func again(t *testing.T, store *Store) *Store {
	t.Helper()
	layout, err := caches.OpenLayout(store.layout.Root())
	if err != nil {
		t.Fatal(err)
	}
	return Open(layout, digest.BLAKE3)
}

func fill(t *testing.T, files int) string {
	t.Helper()
	root := t.TempDir()
	for n := range files {
		put(t, filepath.Join(root, fmt.Sprintf("d%d", n%7), fmt.Sprint(n)), fmt.Sprint("file ", n))
	}
	return root
}

// A blob that is cut short in place changes no folder, so it tells whether
// anybody looked.
func TestATreeThatWasAddedIsNotLookedAtInTheSameEpoch(t *testing.T) {
	store, root := open(t), fill(t, 30)
	added(t, store, root)
	added(t, store, root) // which finds folders at rest
	short := of("file 3")
	if err := os.Truncate(store.path(short, plain), 1); err != nil {
		t.Fatal(err)
	}
	added(t, again(t, store), root)
	if store.Has(short) {
		t.Error("a tree that is known was looked at, blob by blob")
	}
	if _, err := store.layout.NextEpoch(); err != nil {
		t.Fatal(err)
	}
	added(t, again(t, store), root)
	if !store.Has(short) {
		t.Error("in another epoch a blob was taken for whole")
	}
}

func TestATreeThatWasAddedIsWholeWhateverIsRemoved(t *testing.T) {
	store, root := open(t), fill(t, 30)
	tree := added(t, store, root)
	remove := map[string]func() error{
		"nothing":     func() error { return nil },
		"a blob":      func() error { return os.Remove(store.path(of("file 3"), plain)) },
		"a directory": func() error { return os.Remove(store.path(tree.Root, plain)) },
		"a folder":    func() error { return os.RemoveAll(filepath.Dir(store.path(of("file 7"), plain))) },
		"all":         func() error { return os.RemoveAll(store.folder) },
		"the record":  func() error { return os.Remove(store.addedFile(root)) },
		"torn record": func() error { return os.WriteFile(store.addedFile(root), []byte("{"), 0o644) },
		"an epoch": func() error {
			_, err := store.layout.NextEpoch()
			return err
		},
	}
	for what, away := range remove {
		added(t, store, root)
		added(t, store, root)
		if err := away(); err != nil {
			t.Fatal(err)
		}
		added(t, again(t, store), root)
		if whole, err := store.HasTree(t.Context(), tree.Root); err != nil || !whole {
			t.Errorf("after %s was removed, the tree is whole: %v, %v", what, whole, err)
		}
	}
}

func TestAnotherTreeOfTheSameRootIsLookedAt(t *testing.T) {
	store, root := open(t), fill(t, 10)
	added(t, store, root)
	added(t, store, root)
	put(t, filepath.Join(root, "d1", "more"), "more")
	tree := added(t, store, root)
	if whole, err := store.HasTree(t.Context(), tree.Root); err != nil || !whole || !store.Has(of("more")) {
		t.Errorf("the tree is whole: %v, %v", whole, err)
	}
}
