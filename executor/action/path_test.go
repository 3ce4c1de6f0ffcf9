package action

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What nested finds is what a look at every pair finds: each path that is the same as
// another, or inside of it, and no other.
func TestNestedIsWhatPairsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[ab](/[ab]){0,3}|a-|a\.b`), 0, 12).Draw(t, "paths")
		paths := make([]Path, len(texts))
		for i, text := range texts {
			paths[i] = Path{text: text}
		}
		want, got := map[Path]bool{}, map[Path]bool{}
		within := func(set map[Path]bool, path, other Path) {
			if path == other || strings.HasPrefix(path.text, other.text+"/") {
				set[path] = true
			}
		}
		for i, path := range paths {
			for j, other := range paths {
				if i != j {
					within(want, path, other)
				}
			}
		}
		for _, pair := range nested(paths) {
			within(got, pair[0], pair[1])
			within(got, pair[1], pair[0])
		}
		if !maps.Equal(got, want) {
			t.Fatalf("of %q: got %v, want %v", texts, got, want)
		}
	})
}

// A look at each pair of so many would take minutes.
func TestNestedOfManyOutputs(t *testing.T) {
	paths := make([]Path, 200_000)
	for i := range paths {
		paths[i] = Path{text: fmt.Sprintf("out/%d/file-%d", i%100, i)}
	}
	paths[len(paths)-1] = Path{text: "out/7"}
	if got := nested(paths); len(got) != 2000 {
		t.Errorf("%d pairs, want 2000", len(got))
	}
}
