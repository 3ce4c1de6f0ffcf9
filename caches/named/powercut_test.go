package named_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// durably does what a tender does, without the sync: no power is cut here.
func durably(t testing.TB, store *named.Store) {
	t.Helper()
	tender := store.NewTender()
	_, err := tender.Arrange(context.Background())
	namedtest.Check(t, err)
	namedtest.Check(t, tender.Mark(tender.Unmarked()))
}

// atRisk lists the files of a store of one cache that a power cut may tear: all
// but durable generations and their layers.
func atRisk(t *testing.T, c *namedtest.Cache) (paths []string) {
	t.Helper()
	safe := map[string]bool{}
	for _, mark := range glob(t, c.Layout.Named()+"/*/generations/*.durable") {
		manifest := strings.TrimSuffix(mark, ".durable") + ".json"
		safe[manifest], safe[mark] = true, true
		safe[filepath.Join(filepath.Dir(filepath.Dir(mark)), "ref.json")] = true // older than the mark
		data, err := os.ReadFile(manifest)
		namedtest.Check(t, err)
		data, err = caches.Unseal(data)
		namedtest.Check(t, err)
		var content struct {
			Layers []struct {
				ID string `json:"id"`
			} `json:"layers"`
		}
		namedtest.Check(t, json.Unmarshal(data, &content))
		for _, layer := range content.Layers {
			safe[filepath.Join(c.Layout.Layers(), c.Ref.ID(), layer.ID)] = true
		}
	}
	for _, root := range []string{c.Layout.Named(), filepath.Join(c.Layout.Layers(), c.Ref.ID())} {
		filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if safe[path] && entry.IsDir() {
				return fs.SkipDir
			}
			if err == nil && path != root && !safe[path] && entry.Name() != "generations" && entry.Name() != c.Ref.ID() {
				paths = append(paths, path)
			}
			return nil
		})
	}
	return paths
}

// cut damages one file or directory as a power cut may. It writes a new file, for
// an old one may have links that are on the disk.
func cut(path, how string) {
	info, err := os.Lstat(path)
	if err != nil || how == "whole" || how != "missing" && !info.Mode().IsRegular() {
		return
	}
	data, _ := os.ReadFile(path)
	os.RemoveAll(path)
	switch how {
	case "truncated":
		os.WriteFile(path, data[:len(data)/2], 0o644)
	case "empty":
		os.WriteFile(path, nil, 0o644)
	case "zeroed":
		os.WriteFile(path, make([]byte, len(data)), 0o644)
	}
}

// After a power cut a cache holds its last durable generation, whole, whatever
// has become of everything else; the next publish builds on that.
func TestPowerCuts(t *testing.T) {
	for _, mode := range []caches.Mode{caches.Mutable, caches.AppendOnly} {
		t.Run(mode.String(), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { cutPower(t, r, mode) })
		})
	}
}

func cutPower(t *testing.T, r *rapid.T, mode caches.Mode) {
	c := namedtest.New(t, mode, namedtest.Copied)
	defer c.Run.Close()
	now, durable := layertest.Tree{}, layertest.Tree{}
	store := c.Store
	for boot := range rapid.IntRange(1, 3).Draw(r, "boots") {
		c.Store = store.OnBoot(fmt.Sprint(boot))
		for n := range rapid.IntRange(0, 7).Draw(r, "publishes") {
			path, content := fmt.Sprint("d/", rapid.IntRange(0, 5).Draw(r, "path")), fmt.Sprint(boot, " ", n)
			if _, taken := now[path]; taken && mode == caches.AppendOnly {
				continue
			}
			now[path] = content
			checkout := c.Checkout()
			layertest.Tree{path: content}.Write(t, checkout.Upper())
			c.Publish(checkout, named.PublishOptions{})
			switch rapid.IntRange(0, 4).Draw(r, "then") {
			case 0:
				durably(t, c.Store)
				durable = maps.Clone(now)
			case 1:
				namedtest.Check(t, c.Store.Compact(context.Background(), c.Ref))
			}
		}
		risk := atRisk(t, c)
		slices.Sort(risk)
		for _, path := range risk {
			how := rapid.SampledFrom([]string{"whole", "truncated", "empty", "zeroed", "missing"}).Draw(r, "cut")
			if strings.HasSuffix(path, "/head") && how == "missing" && len(durable) > 0 {
				continue // the head was there before the sync, and is only ever replaced
			}
			cut(path, how)
		}
		c.Store = store.OnBoot(fmt.Sprint(boot + 1))
		if diff := cmp.Diff(durable, c.Content()); diff != "" {
			r.Fatalf("after boot %d (-durable +got):\n%s", boot, diff)
		}
		now = maps.Clone(durable)
	}
}

// A generation of another boot is used when it was marked, and only then; what
// this boot cannot tell counts as its own.
func TestGenerationsOfAnotherBoot(t *testing.T) {
	for _, test := range []struct {
		made, seen string
		marked     bool
		want       layertest.Tree
	}{
		{"one", "one", false, layertest.Tree{"a": "1"}},
		{"one", "two", false, layertest.Tree{}},
		{"one", "two", true, layertest.Tree{"a": "1"}},
		{"", "two", false, layertest.Tree{"a": "1"}},
		{"one", "", false, layertest.Tree{"a": "1"}},
	} {
		c := namedtest.New(t, caches.Mutable, namedtest.Copied)
		store := c.Store
		c.Store = store.OnBoot(test.made)
		c.Do("printf 1 >a")
		if test.marked {
			durably(t, c.Store)
		}
		c.Store = store.OnBoot(test.seen)
		if diff := cmp.Diff(test.want, c.Content()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test, diff)
		}
		if warning := c.Checkout().Warning(); (warning != nil) != (len(test.want) == 0) {
			t.Errorf("%+v: warning %v", test, warning)
		}
	}
}

// The last durable generation stays until another one is durable, however many
// are published after it, and goes then.
func TestLastDurableGenerationStays(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("printf first >a")
	durably(t, c.Store)
	for n := range 9 {
		c.Do(fmt.Sprintf("printf %d >b; printf %d >a", n, n))
	}
	rows, err := c.Store.List("")
	namedtest.Check(t, err)
	if len(rows) != 1 || rows[0].Durable || rows[0].Generations != 3 {
		t.Errorf("two generations of the history and the durable one: %+v", rows)
	}
	home := c.Store
	c.Store = home.OnBoot("another")
	c.Holds(layertest.Tree{"a": "first"})
	c.Store = home
	c.Holds(layertest.Tree{"a": "8", "b": "8"})
	durably(t, c.Store)
	rows, err = c.Store.List("")
	namedtest.Check(t, err)
	if len(rows) != 1 || !rows[0].Durable || rows[0].Generations != 2 {
		t.Errorf("two generations of the history: %+v", rows)
	}
	if marks := glob(t, c.Layout.Named()+"/*/generations/*.durable"); len(marks) != 2 {
		t.Errorf("marks are left: %v", marks)
	}
	history, err := c.Store.History(c.Ref)
	namedtest.Check(t, err)
	for _, g := range history {
		if !g.Durable {
			t.Errorf("not durable: %+v", g)
		}
	}
}

// After a restart the history ends where it cannot be trusted.
func TestRollbackOnlyToWhatSurvived(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	home := c.Store
	c.Store = home.OnBoot("one")
	c.Do("printf 1 >a")
	c.Do("printf 2 >a")
	c.Store = home.OnBoot("two")
	c.Do("printf 3 >a")
	history, err := c.Store.History(c.Ref)
	if err != nil || len(history) != 1 {
		t.Errorf("history %+v, %v; want the generation of this boot", history, err)
	}
}

func TestTornRefIsWrittenAgain(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("printf 1 >a")
	ref := filepath.Join(c.Layout.Named(), c.Ref.ID(), "ref.json")
	cut(ref, "zeroed")
	if rows, err := c.Store.List(""); err != nil || len(rows) != 1 || rows[0].Status != named.Corrupt {
		t.Errorf("torn: %+v, %v", rows, err)
	}
	c.Do("printf 2 >a")
	if rows, err := c.Store.List(""); err != nil || len(rows) != 1 || rows[0].Ref != c.Ref || rows[0].Problem != nil {
		t.Errorf("written again: %+v, %v", rows, err)
	}
}
