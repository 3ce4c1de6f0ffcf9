package layers_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

// merged is two layers with listings, flattened to one.
func merged(t testing.TB) (b bench, parts layers.Stack, whole layers.Layer) {
	t.Helper()
	b = newBench(t)
	lower := b.base(layertest.Tree{"a": "low", "d/b": "below", "d/c": "gone", "l": "-> a"})
	upper := b.base(layertest.Tree{"a": "high", "n/x": "new", "d/e": "more"})
	check(t, layers.MakeWhiteout(filepath.Join(upper.Path, "d/c")))
	upper.Entries++
	parts = layers.Stack{lower, upper}
	for _, layer := range parts {
		list(t, b.layout, layer)
	}
	dir, err := b.run.Dir("merged")
	check(t, err)
	check(t, layers.Flatten(parts, 0, dir))
	whole, err = layers.Commit(dir, b.run.Path())
	check(t, err)
	return b, parts, whole
}

func TestAMergedListingIsTheOneThatReadingWouldMake(t *testing.T) {
	b, parts, whole := merged(t)
	check(t, layers.MergeSums(context.Background(), b.layout, whole, parts))
	placed, err := layers.PlaceListed(whole, b.layout.Layers())
	check(t, err)
	got, err := os.ReadFile(placed.SumPath())
	check(t, err)
	check(t, os.Remove(placed.SumPath()))
	list(t, b.layout, placed)
	if want, err := os.ReadFile(placed.SumPath()); err != nil || string(got) != string(want) {
		t.Errorf("%v; merged:\n%sread:\n%s", err, got, want)
	}
}

// What was written to after it was listed comes into the merged layer as a flaw.
func TestAMergedListingKnowsWhatAFileWas(t *testing.T) {
	b, parts, whole := merged(t)
	check(t, os.WriteFile(filepath.Join(parts[1].Path, "a"), []byte("hIgh"), 0o644))
	check(t, layers.MergeSums(context.Background(), b.layout, whole, parts))
	if found, err := flaws(whole); err != nil || !slices.Equal(found, []string{"a: content differs"}) {
		t.Errorf("%q, %v", found, err)
	}
}

func TestNothingIsMergedFromADamagedListing(t *testing.T) {
	b, parts, whole := merged(t)
	text, err := os.ReadFile(parts[0].SumPath())
	check(t, err)
	for _, at := range []int{3, len(text) / 2, len(text) - 5} {
		flipped := slices.Clone(text)
		flipped[at] ^= 1
		check(t, os.WriteFile(parts[0].SumPath(), flipped, 0o644))
		if err := layers.MergeSums(context.Background(), b.layout, whole, parts); !errors.Is(err, layers.ErrDamaged) || whole.HasSum() {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// Who makes links lists before; others who were listing meanwhile take no link for
// damage.
func TestSettledLayersStaySound(t *testing.T) {
	b := newBench(t)
	layer := layers.Stamped(b.base(layertest.Tree{"a": "x", "b": "y"}))
	var told []layers.Standing
	note := func(_ layers.Layer, listed layers.Listed) { told = append(told, listed.Standing) }
	for range 2 {
		check(t, layers.Settle(context.Background(), b.layout, layers.Stack{layer}, note))
		check(t, os.Link(filepath.Join(layer.Path, "a"), filepath.Join(t.TempDir(), "link")))
	}
	if !slices.Equal(told, []layers.Standing{layers.Vouched}) {
		t.Errorf("listed %v", told)
	}
	check(t, layers.Void(b.layout, layer.SumPath()))
	if got := list(t, b.layout, layer); got.Standing != layers.AsFound || len(got.Changed) > 0 {
		t.Errorf("after links: %+v", got)
	}
}

func TestAStampTellsWhatChanged(t *testing.T) {
	b := newBench(t)
	for script, want := range map[string]string{
		":": "", "chmod 600 a": "a", "chmod 711 d": "d", "mv d/b d/c; mv d/c d/b": "d d/b", "rm l; ln -s b l": "l", "touch a": "a",
	} {
		layer := layers.Stamped(b.base(layertest.Tree{"a": "x", "d/b": "y", "l": "-> a"}))
		shell(t, layer.Path, "sleep 0.02;"+script) // a tick, for older kernels
		got := ""
		for _, flaw := range list(t, b.layout, layer).Changed {
			if got != "" {
				got += " "
			}
			got += flaw.Path
		}
		if got != want {
			t.Errorf("after %q changed are %q, want %q", script, got, want)
		}
	}
}
