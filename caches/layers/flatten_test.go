package layers_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

func TestPlanFlatten(t *testing.T) {
	for _, test := range []struct {
		sizes []int64
		want  int
	}{
		{nil, 0}, {[]int64{5}, 1}, {[]int64{4, 2, 1}, 3}, {[]int64{4, 2, 1, 1}, 0}, {[]int64{100, 2, 2}, 1},
		{[]int64{1, 100}, 0}, {[]int64{100, 10, 20, 3}, 1},
		{[]int64{1024, 512, 256, 128, 64, 32, 16, 8, 4}, 0},
		{[]int64{1 << 20, 512, 256, 128, 64, 32, 16, 8, 3}, 1},
	} {
		var stack layers.Stack
		for _, size := range test.sizes {
			stack = append(stack, layers.Layer{Entries: size})
		}
		if got := layers.PlanFlatten(stack); got != test.want {
			t.Errorf("%v: merge from %d, want %d", test.sizes, got, test.want)
		}
	}
}

// After any sequence of publishes there are at most MaxDepth layers, and the
// work for equal publishes grows as N log N.
func TestPlanFlattenAmortised(t *testing.T) {
	for _, base := range []int64{0, 20_000, 1_000_000} {
		amortised(t, base)
	}
}

func amortised(t *testing.T, base int64) {
	stack := layers.Stack{{Entries: base}}
	var linked int64
	const publishes = 4096
	for range publishes {
		stack = append(stack, layers.Layer{Entries: 10})
		from := layers.PlanFlatten(stack)
		var size int64
		for _, layer := range stack[from:] {
			size += layer.Entries
		}
		if from < len(stack) {
			stack = append(stack[:from:from], layers.Layer{Entries: size})
			linked += size
		}
		if len(stack) > layers.MaxDepth {
			t.Fatalf("%d layers", len(stack))
		}
	}
	t.Logf("each entry was linked %d times", linked/(10*publishes))
	if perEntry := linked / (10 * publishes); perEntry > 12 {
		t.Errorf("each entry was linked %d times", perEntry)
	}
}

func TestResolve(t *testing.T) {
	b := newBench(t)
	bottom := b.base(layertest.Tree{"a": "1", "d/x": "1", "d/y": "1", "f": "1"})
	top := b.base(layertest.Tree{"d/y": "2", "f/g": "2"})
	check(t, unix.Mknod(filepath.Join(top.Path, "a"), unix.S_IFCHR, 0))
	stack := layers.Stack{bottom, top}
	for path, want := range map[string]string{"d/x": bottom.Path, "d/y": top.Path, "f/g": top.Path, ".": top.Path} {
		entry, err := stack.Resolve(path)
		if err != nil || entry.Real != filepath.Join(want, path) {
			t.Errorf("%s: %+v, %v", path, entry, err)
		}
	}
	for _, path := range []string{"a", "a/b", "d/z", "f/g/h"} {
		if _, err := stack.Resolve(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := stack.Resolve("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path that leaves: %v", err)
	}
	if err := top.Verify(); !errors.Is(err, layers.ErrDamaged) {
		t.Errorf("a layer with one entry too many: %v", err)
	}
}

func TestAttributeWhiteouts(t *testing.T) {
	b := newBench(t)
	bottom, top := b.base(layertest.Tree{"d/x": "1", "d/y": "1", "e/x": "1"}), b.base(layertest.Tree{"d/x": "", "e/x": ""})
	mark := func(path, name, value string) {
		if err := unix.Lsetxattr(filepath.Join(top.Path, path), name, []byte(value), 0); err != nil {
			t.Skip("no user attributes here:", err)
		}
	}
	mark("d/x", "user.overlay.whiteout", "y")
	mark("d", "user.overlay.opaque", "x")
	mark("e/x", "user.overlay.whiteout", "y") // without the mark on the directory it means nothing
	want := layertest.Tree{"d/y": "1", "e/x": ""}
	if diff := cmp.Diff(want, view(t, layers.Stack{bottom, top})); diff != "" {
		t.Error(diff)
	}
	if layertest.Overlay(t) == nil {
		private, err := b.run.Private("x")
		check(t, err)
		out := layertest.Shell(t, layertest.Mount{Lowers: layers.Stack{bottom, top}.Lowers(), Upper: private.Upper, Work: private.Work}, "ls d")
		if out != "y\n" {
			t.Errorf("the kernel shows %q", out)
		}
	}
}

// Flattening any part of any stack leaves its view as it is, and so says the
// model of what was done to a map.
func TestFlattenKeepsTheView(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t)
		defer b.run.Close()
		var stack layers.Stack
		model := map[string]string{}
		for range rapid.IntRange(1, 5).Draw(r, "layers") {
			stack = append(stack, b.random(r, stack, model))
		}
		if diff := cmp.Diff(model, files(view(t, stack))); diff != "" {
			r.Fatalf("view of the stack (-model +got):\n%s", diff)
		}
		from := rapid.IntRange(0, len(stack)-1).Draw(r, "from")
		to := rapid.IntRange(from, len(stack)-1).Draw(r, "to") + 1
		dir, err := b.run.Dir("flat")
		check(t, err)
		check(t, layers.Flatten(stack[from:to], from, dir))
		flat, err := layers.Commit(dir, b.layout.Layers())
		check(t, err)
		merged := append(append(append(layers.Stack{}, stack[:from]...), flat), stack[to:]...)
		if diff := cmp.Diff(view(t, stack), view(t, merged)); diff != "" {
			r.Fatalf("flattened %d to %d (-before +after):\n%s", from, to, diff)
		}
	})
}

// files leaves out empty directories.
func files(tree layertest.Tree) map[string]string {
	found := map[string]string{}
	for path, content := range tree {
		if path[len(path)-1] != '/' {
			found[path] = content
		}
	}
	return found
}

// random does random things to a copy of the stack and to the model, and
// commits what comes of it.
func (b bench) random(r *rapid.T, stack layers.Stack, model map[string]string) layers.Layer {
	private, err := b.run.Private("random")
	check(b, err)
	check(b, layers.CopyStack(stack, private.Upper))
	for range rapid.IntRange(1, 6).Draw(r, "steps") {
		b.step(r, private.Upper, model)
	}
	special, err := layers.Extract(stack, private.Upper, private.Work)
	check(b, err)
	if len(special) > 0 {
		b.Errorf("special files: %v", special)
	}
	layer, err := layers.Commit(private.Work, b.layout.Layers())
	check(b, err)
	return layer
}

func (b bench) step(r *rapid.T, dir string, model map[string]string) {
	path := rapid.SampledFrom([]string{"a", "d", "d/x", "d/y", "d/e", "d/e/z"}).Draw(r, "path")
	full := filepath.Join(dir, path)
	if err := os.RemoveAll(full); err != nil && !errors.Is(err, unix.ENOTDIR) {
		b.Fatal(err)
	}
	drop(model, path)
	if rapid.Bool().Draw(r, "remove") {
		return
	}
	for parent := filepath.Dir(path); parent != "."; parent = filepath.Dir(parent) {
		if info, err := os.Lstat(filepath.Join(dir, parent)); err == nil && !info.IsDir() {
			check(b, os.Remove(filepath.Join(dir, parent)))
			drop(model, parent)
		}
	}
	check(b, os.MkdirAll(filepath.Dir(full), 0o755))
	content := fmt.Sprint(rapid.IntRange(0, 3).Draw(r, "content"))
	check(b, os.WriteFile(full, []byte(content), 0o644))
	model[path] = content
}

func drop(model map[string]string, path string) {
	for known := range model {
		if known == path || len(known) > len(path) && known[:len(path)+1] == path+"/" {
			delete(model, known)
		}
	}
}

// Where a hard link is refused, here over file systems, a copy takes its place.
func TestFlattenOverFileSystems(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "layers-test-*")
	if err != nil {
		t.Skip("no second file system:", err)
	}
	defer os.RemoveAll(other)
	b := newBench(t)
	tree := layertest.Tree{"a": "1", "d/b": "2", "l": "-> a"}
	tree.Write(t, filepath.Join(other, "layer"))
	dir, err := b.run.Dir("flat")
	check(t, err)
	far := layers.Stack{{ID: "far", Path: filepath.Join(other, "layer")}}
	check(t, layers.Flatten(far, 0, dir))
	if diff := cmp.Diff(tree, layertest.Read(t, dir)); diff != "" {
		t.Error(diff)
	}
	same := layers.Layer{ID: "near", Path: dir}
	before, err := far.Resolve("a")
	check(t, err)
	after, err := layers.Stack{same}.Resolve("a")
	check(t, err)
	if !before.ModTime.Equal(after.ModTime) || before.Mode != after.Mode {
		t.Errorf("%+v became %+v", before, after)
	}
}
