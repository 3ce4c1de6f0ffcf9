package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"larder/digest"
)

// stored makes a tree of files whose content is their path.
func stored(t *testing.T, in digest.Directories, paths ...string) digest.Digest {
	t.Helper()
	var entries []digest.Entry
	for _, path := range paths {
		entries = append(entries, digest.Entry{Path: path, Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte(path))})
	}
	tree, err := digest.FromEntries(digest.BLAKE3, entries)
	if err != nil {
		t.Fatal(err)
	}
	for d, data := range tree.Directories() {
		in[d] = data
	}
	return tree.Root
}

// sourcesOf merges the sources of the last action of a plan with three producers.
func sourcesOf(t *testing.T, from string) ([]string, error) {
	t.Helper()
	in := digest.Directories{}
	outputs := []digest.Digest{stored(t, in, "out/a.o", "out/a.log", "top"), stored(t, in, "out/b.o"), {}}
	kept := stored(t, in, "kept/file")
	text := `{"schema": 1, "actions": [{"name": "a", "argv": ["x"]}, {"name": "b", "argv": ["x"]}, {"name": "c", "argv": ["x"]},
		{"name": "last", ` + strings.ReplaceAll(from, "KEPT", kept.String()) + `}]}`
	g, err := graphOf(t, text)
	if err != nil {
		t.Fatal(err)
	}
	trees := Trees{digest.BLAKE3, in, in.Sink(digest.BLAKE3)}
	merged, err := g.Nodes[3].Sources(context.Background(), trees, outputs)
	if err != nil || merged.Root.IsZero() {
		return nil, err
	}
	var files []string
	return files, digest.Fingerprints(context.Background(), in, merged.Root, func(file digest.Entry) error {
		files = append(files, file.Path)
		return nil
	})
}

func TestSources(t *testing.T) {
	for from, want := range map[string][]string{
		`"argv": ["x"]`: nil,
		`"from": [{"action": "a"}, {"action": "b"}]`:                                                                {"out/a.log", "out/a.o", "out/b.o", "top"},
		`"from": [{"action": "a", "subset": ["*.o"], "strip": "out", "prefix": "lib/objects/"}]`:                    {"lib/objects/a.o"},
		`"from": [{"action": "b", "strip": "./out/"}, {"tree": "KEPT", "prefix": "k"}]`:                             {"b.o", "k/kept/file"},
		`"from": [{"action": "a"}, {"action": "a"}]`:                                                                {"out/a.log", "out/a.o", "top"},
		`"from": [{"action": "a"}, {"action": "b", "prefix": "top"}], "merge": [{"pattern":"top","policy":"last"}]`: {"out/a.log", "out/a.o", "top/out/b.o"},
	} {
		if got, err := sourcesOf(t, from); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", from, got, err, want)
		}
	}
}

func TestSourcesThatCannotBe(t *testing.T) {
	for from, want := range map[string]struct {
		err  error
		text string
	}{
		`"from": [{"action": "a"}, {"action": "b", "prefix": "top"}]`: {digest.ErrCollision, "action \"last\": merge: 1 path collides\ntop\n    file "},
		`"from": [{"action": "a", "strip": "out"}]`:                   {digest.ErrPrefix, `action "last", source a: strip prefix out`},
		`"from": [{"action": "a", "subset": ["none.o"]}]`:             {digest.ErrPattern, `source a: subset of tree`},
		`"from": [{"action": "c"}]`:                                   {ErrPlan, `source c: invalid plan: it has no output yet`},
		`"from": [{"tree": "` + tree + `"}]`:                          {nil, "directory"},
	} {
		_, err := sourcesOf(t, from)
		if err == nil || want.err != nil && !errors.Is(err, want.err) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v; want %s", from, err, want.text)
		}
	}
	_, err := sourcesOf(t, `"from": [{"action": "a"}, {"action": "b", "prefix": "top"}]`)
	var collisions *digest.CollisionError
	if !errors.As(err, &collisions) || fmt.Sprint(collisions.Collisions[0].Claims[0].Producers, collisions.Collisions[0].Claims[1].Producers) != "[a] [b at top]" {
		t.Errorf("producers are not named as in the plan: %v", err)
	}
}
