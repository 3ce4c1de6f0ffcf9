package named_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// flipper changes bytes so that a look at the file does not show it.
type flipper struct {
	testing.TB
	// ticks says that the kernel's clock for files stands still between ticks, also for a
	// file that somebody has looked at, as it did before Linux 6.13.
	ticks bool
}

// newFlipper comes before what is to be flipped, since it moves the clock.
func newFlipper(t testing.TB) flipper {
	t.Helper()
	same := 0
	for range 3 {
		path := filepath.Join(t.TempDir(), "clock")
		namedtest.Check(t, os.WriteFile(path, nil, 0o600))
		if first := changed(t, path); touched(t, path) == first {
			same++
		}
	}
	return flipper{t, same > 0}
}

func changed(t testing.TB, path string) syscall.Timespec {
	t.Helper()
	var stat syscall.Stat_t
	namedtest.Check(t, syscall.Stat(path, &stat))
	return changeTime(&stat)
}

func touched(t testing.TB, path string) syscall.Timespec {
	t.Helper()
	namedtest.Check(t, os.Chmod(path, 0o600))
	return changed(t, path)
}

// pastTick waits until the clock has moved, where it has ticks.
func (f flipper) pastTick() {
	f.Helper()
	path := filepath.Join(f.TempDir(), "clock")
	namedtest.Check(f, os.WriteFile(path, nil, 0o600))
	for first := changed(f, path); touched(f, path) == first; {
	}
}

// flip changes one byte of a file and nothing else that a look at it would show: in
// place, or in a new file under its name.
func (t flipper) flip(path string, inPlace bool) {
	t.Helper()
	if t.ticks {
		t.pastTick()
	}
	info, err := os.Stat(path)
	namedtest.Check(t, err)
	data, err := os.ReadFile(path)
	namedtest.Check(t, err)
	data[len(data)/2] ^= 1
	at := path
	if !inPlace {
		at += ".new"
	}
	namedtest.Check(t, os.WriteFile(at, data, info.Mode()))
	namedtest.Check(t, os.Chtimes(at, time.Time{}, info.ModTime()))
	namedtest.Check(t, os.Rename(at, path))
}

// many makes more files than a publish lists.
const many = "for i in $(seq 100); do echo $i >$i; done"

// newest is the layer that was published last.
func newest(t testing.TB, c *namedtest.Cache) layers.Layer {
	t.Helper()
	inspection, err := c.Store.Inspect(c.Ref)
	namedtest.Check(t, err)
	stack := inspection.History[0].Layers
	return stack[len(stack)-1]
}

// Nobody has read a large layer when its publish is over. What was written to by
// then is found all the same, by the first look and by all later ones.
func TestAFlipBeforeTheListingIsFound(t *testing.T) {
	for _, inPlace := range []bool{true, false} {
		for _, tended := range []bool{true, false} {
			flipper := newFlipper(t)
			c := namedtest.New(t, caches.Mutable, namedtest.Copied)
			c.Do(many)
			layer := newest(t, c)
			if layer.HasSum() {
				t.Fatal("the publish has listed it")
			}
			path := filepath.Join(layer.Path, "7")
			flipper.flip(path, inPlace)
			if tended {
				_, err := c.Store.NewTender().Arrange(context.Background())
				namedtest.Check(t, err)
			}
			for range 2 {
				found := flaws(t, c, named.Contents)
				want := []named.Flaw{{Path: path, Problem: "it was changed after its publish, before it was listed", Layer: layer.ID}}
				if diff := cmp.Diff(want, found); diff != "" {
					t.Errorf("in place %t, tended %t (-want +got):\n%s", inPlace, tended, diff)
				}
			}
			_, err := c.Store.Repair(context.Background(), c.Ref.ID(), map[string]bool{layer.ID: true})
			namedtest.Check(t, err)
			c.Sound()
		}
	}
}

// Without a stamp, as after a larder that knew none, or in a copy of the store, the
// first look takes the layer as it is and says so; the next one finds a flip.
func TestALayerWithoutAStampIsReportedAsUnlisted(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do(many)
	layer := newest(t, c)
	namedtest.Check(t, os.CopyFS(layer.Path+".copy", os.DirFS(layer.Path)))
	for n := range 101 {
		for _, name := range []string{layer.Path + ".copy", layer.Path} { // times are no content here
			if path := filepath.Join(name, fmt.Sprint(n)); n > 0 {
				namedtest.Check(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Minute)))
			}
		}
	}
	layertest.RemoveAll(t, layer.Path)
	namedtest.Check(t, os.Rename(layer.Path+".copy", layer.Path))
	found := flaws(t, c, named.Contents)
	if len(found) != 1 || !found[0].Unlisted || found[0].Path != layer.Path {
		t.Errorf("%+v; want that the layer is not listed", found)
	}
	c.Sound()
	newFlipper(t).flip(filepath.Join(layer.Path, "7"), true)
	found = flaws(t, c, named.Contents)
	want := []named.Flaw{{Path: filepath.Join(layer.Path, "7"), Problem: "content differs", Layer: layer.ID}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("after a flip (-want +got):\n%s", diff)
	}
}

// life is a cache to which whatever larder does to one is done at random.
type life struct {
	*namedtest.Cache
	r     *rapid.T
	files int
	links []string // folders with links to files of layers
}

// step does one thing that must never look like damage.
func (l *life) step() {
	ctx := context.Background()
	switch rapid.SampledFrom([]string{"publish", "publish", "publish", "compact", "tend", "copy", "link", "unlink", "rollback", "import", "trim"}).Draw(l.r, "step") {
	case "publish":
		l.publish()
	case "compact":
		namedtest.Check(l, l.Store.Compact(ctx, l.Ref))
	case "tend":
		_, err := l.Store.NewTender().Arrange(ctx)
		namedtest.Check(l, err)
	case "copy":
		checkout, err := l.Store.Checkout(ctx, l.Ref, l.Run, named.CheckoutOptions{Copy: true})
		namedtest.Check(l, err)
		checkout.Close()
	case "link":
		l.link()
	case "unlink":
		for _, folder := range l.links {
			layertest.RemoveAll(l, folder)
		}
		l.links = nil
	case "rollback":
		if history, err := l.Store.History(l.Ref); err == nil && len(history) > 1 {
			_, err := l.Store.Rollback(ctx, l.Ref, history[1].ID)
			namedtest.Check(l, err)
		}
	case "import":
		_, err := l.Store.Import(ctx, l.Ref, func(dir string) error { l.tree().Write(l, dir); return nil })
		namedtest.Check(l, err)
	case "trim":
		_, err := l.Store.Trim(l.Ref.ID(), 1)
		namedtest.Check(l, err)
	}
}

// tree is more than a publish lists, or less.
func (l *life) tree() layertest.Tree {
	l.files++
	tree := layertest.Tree{fmt.Sprint("of/", l.files, "/own"): "file", "link": "-> of"}
	for n := range rapid.SampledFrom([]int{3, 70}).Draw(l.r, "files") {
		tree[fmt.Sprint("d", n%3, "/", n)] = fmt.Sprint("in ", l.files)
	}
	return tree
}

// publish adds and replaces files, and may remove some, as overlayfs would.
func (l *life) publish() {
	checkout := l.Checkout()
	defer checkout.Close()
	l.tree().Write(l, checkout.Upper())
	if rapid.Bool().Draw(l.r, "removes") {
		gone := filepath.Join(checkout.Upper(), "d1")
		layertest.RemoveAll(l, gone)
		namedtest.Check(l, layers.MakeWhiteout(gone))
	}
	l.Publish(checkout, named.PublishOptions{Keep: rapid.IntRange(1, 4).Draw(l.r, "keep"), Listed: rapid.Bool().Draw(l.r, "listed")})
}

// link gives the files of the cache other names, as a kept sandbox does.
func (l *life) link() {
	checkout := l.Checkout()
	defer checkout.Close()
	namedtest.Check(l, checkout.Settle(context.Background()))
	folder, err := os.MkdirTemp(l.Run.Path(), "links-*")
	namedtest.Check(l, err)
	namedtest.Check(l, layers.Flatten(checkout.Stack(), 0, folder))
	l.links = append(l.links, folder)
}

// plain lists the plain files of all layers with their identities.
func (l *life) plain() (paths []string, inodes map[uint64]bool) {
	inodes = map[uint64]bool{}
	namedtest.Check(l, filepath.WalkDir(filepath.Join(l.Layout.Layers(), l.Ref.ID()), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && filepath.Ext(path) != layers.SumSuffix {
			paths, inodes[inodeOf(l, path)] = append(paths, path), true
		}
		return err
	}))
	return paths, inodes
}

func inodeOf(t testing.TB, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	namedtest.Check(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// Nothing that larder does looks like damage to a layer that is not listed yet, and
// a flip never goes unnoticed, whatever is done before and after it.
func TestFlipsAtAnyMomentAreFoundAndNothingElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		flipper := newFlipper(t)
		l := &life{Cache: namedtest.New(t, caches.Mutable, namedtest.Overlaid), r: r}
		defer l.Run.Close()
		for range rapid.IntRange(1, 8).Draw(r, "publishes") { // more than five are worth a merge
			l.publish()
		}
		for n := range rapid.IntRange(0, 12).Draw(r, "steps") {
			if l.step(); rapid.IntRange(0, 3).Draw(r, "verify") > 0 {
				continue
			}
			if found := flaws(t, l.Cache, named.Contents); len(found) > 0 {
				r.Fatalf("after step %d: %+v", n, found)
			}
		}
		paths, _ := l.plain()
		path := rapid.SampledFrom(paths).Draw(r, "flipped")
		flipper.flip(path, rapid.Bool().Draw(r, "in place"))
		held, err := os.Open(path) // or another file could get its number once it is gone
		namedtest.Check(t, err)
		defer held.Close()
		flipped := inodeOf(t, path)
		for range rapid.IntRange(0, 3).Draw(r, "steps after") {
			l.step()
		}
		found := flaws(t, l.Cache, named.Contents)
		if _, left := l.plain(); left[flipped] && len(found) == 0 {
			r.Fatalf("the flip of %s was not found", path)
		}
		if found := flaws(t, l.Cache, named.Contents); len(found) == 0 {
			return
		}
		broken := map[string]bool{}
		for _, flaw := range found {
			broken[flaw.Layer] = true
		}
		_, err = l.Store.Repair(context.Background(), l.Ref.ID(), broken)
		namedtest.Check(t, err)
		if found := flaws(t, l.Cache, named.Contents); len(found) > 0 {
			r.Fatalf("after the repair: %+v", found)
		}
	})
}
