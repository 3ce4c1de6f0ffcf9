package layers_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

// summed is a committed layer with its listing.
func summed(t testing.TB, tree layertest.Tree, script string) (caches.Layout, layers.Layer) {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	check(t, err)
	upper := filepath.Join(t.TempDir(), "upper")
	tree.Write(t, upper)
	shell(t, upper, script)
	layer, err := layers.Commit(upper, layout.Layers())
	check(t, err)
	list(t, layout, layer)
	return layout, layer
}

// list lists a layer.
func list(t testing.TB, layout caches.Layout, layer layers.Layer) layers.Listed {
	t.Helper()
	listed, err := layers.WriteSum(context.Background(), layout, layer)
	check(t, err)
	return listed
}

func setAttribute(path, name, value string) error {
	return unix.Lsetxattr(path, name, []byte(value), 0)
}

// flaws lists what CheckSum reports, as "path: problem".
func flaws(layer layers.Layer) (found []string, err error) {
	err = layers.CheckSum(context.Background(), layer, func(f layers.Flaw) { found = append(found, f.Path+": "+f.Problem) })
	return found, err
}

func TestListingOfALayer(t *testing.T) {
	_, layer := summed(t, layertest.Tree{"b": "one", "a/x": "", "a b": "y", "l": "-> a/x"}, "chmod 755 b; printf q >\"$(printf 'n\\377\\nz')\"; chmod 700 a")
	got, err := os.ReadFile(layer.SumPath())
	check(t, err)
	const empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" // BLAKE3 of nothing
	lines := strings.Split(string(got), "\n")
	want := []string{
		"larder layer listing 1 blake3", `d 700 0 - "a"`, "f 644 0 " + empty + ` "a/x"`, `f 644 1 `, `f 755 3 `, `l 777 0 - "l" "a/x"`, `f 644 1 `, "end 6 5 ", "",
	}
	if len(lines) != len(want) {
		t.Fatalf("the listing is\n%s", got)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d is %s, want %s…", i, lines[i], want[i])
		}
	}
	if !strings.HasSuffix(lines[6], ` "n\xff\nz"`) || !strings.HasSuffix(lines[3], ` "a b"`) {
		t.Errorf("names are not quoted:\n%s", got)
	}
	if found, err := flaws(layer); err != nil || len(found) > 0 {
		t.Errorf("a fresh layer has flaws %q, %v", found, err)
	}
}

func TestEveryDamageToALayerIsFound(t *testing.T) {
	tree := layertest.Tree{"a": "content", "d/b": "more", "d/e/c": "", "z": "-> a", "empty/": ""}
	for _, test := range []struct{ script, want string }{
		{"printf Content >a", "a: content differs"},
		{"printf conten >a", "a: has 6 bytes, had 7"},
		{"rm d/b", "d/b: missing"},
		{"rm -r d", "d: missing|d/b: missing|d/e: missing|d/e/c: missing"},
		{"rm -r d; echo >d", "d: is of kind f, was d|d/b: missing|d/e: missing|d/e/c: missing"},
		{"echo >d/a", "d/a: not in the listing"},
		{"echo >zz", "zz: not in the listing"},
		{"mkdir d/n; echo >d/n/x", "d/n: not in the listing|d/n/x: not in the listing"},
		{"chmod 600 a", "a: has mode 600, had 644"},
		{"chmod 711 empty", "empty: has mode 711, had 755"},
		{"rm z; ln -s b z", `z: leads to "b", led to "a"`},
		{"printf Content >a; rm d/e/c z", "a: content differs|d/e/c: missing|z: missing"},
		{"rm a; mkfifo a", "a: is of kind s, was f"},
	} {
		_, layer := summed(t, tree, "")
		shell(t, layer.Path, test.script)
		found, err := flaws(layer)
		if got := strings.Join(found, "|"); got != test.want || err != nil {
			t.Errorf("after %s: %s, %v; want %s", test.script, got, err, test.want)
		}
	}
}

func TestMarksOfOverlayfsAreListed(t *testing.T) {
	_, layer := summed(t, layertest.Tree{"o/a": "x", "w/gone": ""}, "")
	if err := setAttribute(filepath.Join(layer.Path, "o"), "user.overlay.opaque", "y"); err != nil {
		t.Skipf("no user attributes here: %v", err)
	}
	check(t, setAttribute(filepath.Join(layer.Path, "w"), "user.overlay.opaque", "x"))
	check(t, setAttribute(filepath.Join(layer.Path, "w", "gone"), "user.overlay.whiteout", "y"))
	found, err := flaws(layer)
	want := []string{"o: is of kind o, was d", "w: is of kind x, was d", "w/gone: is of kind w, was f"}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("found %q, %v; want %q", found, err, want)
	}
}

func TestUnreadableFilesAreReportedAndTheRestIsChecked(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	_, layer := summed(t, layertest.Tree{"a": "x", "d/b": "y", "e": "z"}, "")
	shell(t, layer.Path, "chmod 0 d; printf q >e")
	t.Cleanup(func() { shell(t, layer.Path, "chmod 755 d") })
	found, err := flaws(layer)
	if text := strings.Join(found, "|"); err != nil || !strings.Contains(text, "e: content differs") || !strings.Contains(text, "d/b: missing") {
		t.Errorf("found %q, %v", found, err)
	}
}

func TestLayerWithoutAListing(t *testing.T) {
	_, layer := summed(t, layertest.Tree{"a": "x"}, "")
	check(t, os.Remove(layer.SumPath()))
	if _, err := flaws(layer); !errors.Is(err, fs.ErrNotExist) || layer.HasSum() {
		t.Errorf("without a listing: %v", err)
	}
}

// Any single changed byte of a listing is found, and a listing cut short
// anywhere is not taken for one.
func TestDamagedListing(t *testing.T) {
	layout, layer := summed(t, layertest.Tree{"a": "content", "d/b": "more", "z": "-> a"}, "")
	whole, err := os.ReadFile(layer.SumPath())
	check(t, err)
	for at := range whole {
		flipped := slices.Clone(whole)
		flipped[at] ^= 1
		check(t, os.WriteFile(layer.SumPath(), flipped, 0o644))
		if found, err := flaws(layer); err == nil {
			t.Fatalf("byte %d changed, and found is %q", at, found)
		}
		check(t, os.WriteFile(layer.SumPath(), whole[:at], 0o644))
		want := layers.ErrDamaged
		if at == 0 {
			want = fs.ErrNotExist // see Void
		}
		if _, err := flaws(layer); !errors.Is(err, want) || layer.HasSum() {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	if got := list(t, layout, layer); got.Standing != layers.AsFound {
		t.Errorf("over a torn listing: %+v", got)
	}
	if found, err := flaws(layer); err != nil || len(found) > 0 {
		t.Errorf("written again over a torn one: %q, %v", found, err)
	}
}

func TestListingsOfAnyTree(t *testing.T) {
	name := rapid.StringMatching(`[a-c/ "\n\\é-]{1,6}`).Filter(func(s string) bool {
		return filepath.IsLocal(s) && filepath.Clean(s) == s && s != "."
	})
	rapid.Check(t, func(r *rapid.T) {
		tree := layertest.Tree{}
		for _, path := range rapid.SliceOfN(name, 1, 8).Draw(r, "paths") {
			if free(tree, path) {
				tree[path] = rapid.StringN(0, 3, 8).Draw(r, "content")
			}
		}
		_, layer := summed(t, tree, "")
		if found, err := flaws(layer); err != nil || len(found) > 0 {
			t.Fatalf("%q has flaws %q, %v", tree, found, err)
		}
		paths := make([]string, 0, len(tree))
		for path := range tree {
			paths = append(paths, path)
		}
		slices.Sort(paths)
		path := rapid.SampledFrom(paths).Draw(r, "damaged")
		check(t, os.WriteFile(filepath.Join(layer.Path, path), []byte(tree[path]+"!"), 0o644))
		found, err := flaws(layer)
		if err != nil || len(found) != 1 || !strings.HasPrefix(found[0], path+": ") {
			t.Fatalf("%q was damaged, found %q, %v", path, found, err)
		}
	})
}

// free reports whether a file can be at path beside the others.
func free(tree layertest.Tree, path string) bool {
	for other := range tree {
		if other == path || strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			return false
		}
	}
	return true
}

func FuzzListing(f *testing.F) {
	_, layer := summed(f, layertest.Tree{"a": "content", "d/b": "more", "z": "-> a"}, "")
	whole, err := os.ReadFile(layer.SumPath())
	check(f, err)
	f.Add(string(whole))
	f.Add(strings.ReplaceAll(string(whole), "f 644", "f 99999999999"))
	f.Add("larder layer listing 1 blake3\nl 777 0 - \"a\" \"\nend 1 1 x\n")
	f.Fuzz(func(t *testing.T, text string) {
		check(t, os.WriteFile(layer.SumPath(), []byte(text), 0o644))
		if found, err := flaws(layer); err == nil && len(found) == 0 && text != string(whole) {
			t.Errorf("%q is taken for the listing", text)
		}
	})
}
