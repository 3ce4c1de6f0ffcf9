package local

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"larder/executor/action"
)

// TestLockedCachesAreTakenInOneOrder: whatever the paths, the order is that of
// the ids, with the locked ones first.
func TestLockedCachesAreTakenInOneOrder(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	rapid.Check(t, func(r *rapid.T) {
		paths := rapid.Permutation(names).Draw(r, "paths")
		spec := action.Spec{Argv: []string{"true"}}
		for i, name := range names {
			spec.Caches = append(spec.Caches, action.CacheSpec{Name: name, Mode: "mutable", Path: paths[i], Lock: name != "b"})
		}
		wanted, err := spec.Validate("/")
		if err != nil {
			r.Fatal(err)
		}
		ordered := inOrder(wanted.Caches, "/repository")
		if last := ordered[len(ordered)-1].cache; last.Lock {
			r.Fatalf("%s is locked and comes last", last.Name)
		}
		locked := ordered[:len(ordered)-1]
		if len(ordered) != len(names) || !slices.IsSortedFunc(locked, func(x, y checkout) int { return strings.Compare(x.ref.ID(), y.ref.ID()) }) {
			r.Fatalf("%d caches, not in the order of their ids", len(ordered))
		}
	})
}
