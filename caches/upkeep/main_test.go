package upkeep

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/journal"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/caches/results"
	"larder/digest"
)

// bench is a store with what works on it, as a process has it.
type bench struct {
	*Store
	t     testing.TB
	blobs *cas.Store
	files results.Files
}

func open(t testing.TB) bench {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	check(t, err)
	t.Cleanup(func() { check(t, layers.RemoveTree(layout.Root())) })
	return benchAt(t, layout)
}

func benchAt(t testing.TB, layout caches.Layout) bench {
	events := journal.Open(layout)
	return bench{Open(layout, events), t, cas.Open(layout, digest.BLAKE3), results.NewFiles(layout)}
}

// again is the same store as another process has it.
func (b bench) again() bench {
	layout, err := caches.OpenLayout(b.layout.Root())
	check(b.t, err)
	return benchAt(b.t, layout)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) blob(text string) digest.Digest {
	b.t.Helper()
	d, err := b.blobs.Add(b.t.Context(), []byte(text))
	check(b.t, err)
	return d
}

func key(name string) digest.Digest { return digest.Of(digest.BLAKE3, []byte(name)) }

// result keeps an answer with one file and one directory of that text.
func (b bench) result(name, text string) digest.Digest {
	b.t.Helper()
	file := b.blob(text)
	tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{
		{Path: "d", Kind: digest.KindDirectory}, {Path: "d/f", Kind: digest.KindFile, Digest: file},
	})
	check(b.t, err)
	check(b.t, b.blobs.AddDirectories(b.t.Context(), tree.Directories()))
	empty := b.blob("")
	record := &results.Record{Format: results.Format, Stdout: empty.String(), Stderr: empty.String(), OutputTree: tree.Root.String(),
		Outputs: []results.Output{{Path: "f", Digest: file.String(), Kind: "file"}, {Path: "t", Digest: tree.Root.String(), Kind: "directory"}}}
	check(b.t, b.files.Save(b.t.Context(), key(name), record))
	return file
}

func (b bench) hasResult(name string) bool {
	b.t.Helper()
	record, _, err := results.NewChecked(b.files, b.blobs).Lookup(b.t.Context(), key(name))
	check(b.t, err)
	return record != nil
}

// inputs lays a tree of files out, by name and text.
func (b bench) inputs(files map[string]string) layers.Stack {
	b.t.Helper()
	root := b.t.TempDir()
	for name, text := range files {
		check(b.t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		check(b.t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	check(b.t, os.Symlink("target", filepath.Join(root, "link")))
	tree, err := digest.Scan(b.t.Context(), root, digest.ScanOptions{Function: digest.BLAKE3, Patterns: []string{"."}})
	check(b.t, err)
	check(b.t, b.blobs.AddTree(b.t.Context(), tree, root))
	laid, err := b.blobs.Tree(b.t.Context(), tree, cas.TreeOptions{Near: "series"})
	check(b.t, err)
	return laid
}

func cacheRef(name string) caches.Ref {
	parsed, err := caches.ParseName(name)
	if err != nil {
		panic(err)
	}
	return caches.Ref{Name: parsed, Mode: caches.Mutable, Scope: caches.GlobalScope()}
}

// publish writes a file into a cache.
func (b bench) publish(cache, name, text string) {
	b.t.Helper()
	run, err := layers.NewRun(b.layout)
	check(b.t, err)
	defer run.Close()
	c, err := b.named.Checkout(b.t.Context(), cacheRef(cache), run, named.CheckoutOptions{Copy: true})
	check(b.t, err)
	check(b.t, os.WriteFile(filepath.Join(c.Upper(), name), []byte(text), 0o644))
	_, err = c.Publish(b.t.Context(), named.PublishOptions{})
	check(b.t, err)
}

// read returns what a cache has under a name, or "".
func (b bench) read(cache, name string) string {
	b.t.Helper()
	run, err := layers.NewRun(b.layout)
	check(b.t, err)
	defer run.Close()
	c, err := b.named.Checkout(b.t.Context(), cacheRef(cache), run, named.CheckoutOptions{Copy: true})
	check(b.t, err)
	defer c.Close()
	text, _ := os.ReadFile(filepath.Join(c.Upper(), name))
	return string(text)
}

// payload copies a host directory into the store.
func (b bench) payload(text string) {
	b.t.Helper()
	root := b.t.TempDir()
	check(b.t, os.WriteFile(filepath.Join(root, "tool"), []byte(text), 0o755))
	state, err := digest.StateOfTree(b.t.Context(), root)
	check(b.t, err)
	check(b.t, b.payloads.Warm(b.t.Context(), payload.Source{Path: root, State: state}, nil))
}

// age makes everything in the store look unused for so long.
func (b bench) age(by time.Duration) {
	b.t.Helper()
	at := time.Now().Add(-by)
	for _, folder := range []string{b.layout.CAS(), b.layout.Results(), filepath.Join(b.layout.Layers(), treesFolder), b.layout.Named(), b.layout.Payloads(), b.layout.Index()} {
		walk(folder, func(path string, _ error) bool {
			info, err := os.Lstat(path)
			if err != nil || info.Mode()&os.ModeSymlink != 0 {
				return true
			}
			modified := info.ModTime()
			if !strings.HasPrefix(path, b.layout.CAS()) && !strings.HasPrefix(path, b.layout.Layers()) {
				modified = at
			}
			check(b.t, os.Chtimes(path, at, modified))
			return true
		})
	}
}

// left lists the files in a folder of the store, all of them.
func left(t testing.TB, folder string) (files []string) {
	t.Helper()
	walk(folder, func(path string, err error) bool {
		check(t, err)
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			files = append(files, path)
		}
		return true
	})
	return files
}

func names(items []Item) string {
	var text strings.Builder
	for _, item := range items {
		fmt.Fprintf(&text, "%s %s %d\n", item.Kind, item.Name, item.Bytes)
	}
	return text.String()
}
