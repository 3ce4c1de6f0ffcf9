package layers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

// Who keeps any change need not have files read, but must not miss one.
func TestChangesByTime(t *testing.T) {
	layertest.NeedOverlay(t)
	for _, test := range []struct {
		name, script string
		want         []string
	}{
		{"written again with the same bytes", "cat a >b2; cat b2 >a; rm b2", []string{"modified a"}},
		{"other bytes, the time set back", "touch -r a t; printf xne >a; touch -r t a; rm t", []string{"modified a"}},
		{"cut, the time set back", "touch -r a t; printf o >a; touch -r t a; rm t", []string{"modified a"}},
		{"copied up", "chmod 600 a; chmod 644 a", []string{"identical a"}},
		{"mode", "chmod 755 a", []string{"modified a"}},
		{"mode of a directory", "chmod 700 d", []string{"mode d"}},
		{"link elsewhere", "ln -sfn d l", []string{"modified l"}},
		{"kinds", "rm a; mkdir a; rm -r d", []string{"replaced a", "removed d"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			stack := layers.Stack{b.base(start)}
			found, err := layers.Changes(b.overlay(stack, test.script), stack, layers.ByTime)
			check(t, err)
			if diff := cmp.Diff(test.want, summary(found.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// A private layer that is wide and deep enough for several goroutines is listed
// in the same order, with the same counts.
func TestChangesOfManyNames(t *testing.T) {
	b := newBench(t)
	private, err := b.run.Private("many")
	check(t, err)
	var want []string
	for d := range 40 {
		dir := fmt.Sprintf("d%02d", d)
		want = append(want, "added "+dir)
		check(t, os.MkdirAll(filepath.Join(private.Upper, dir, "sub"), 0o755))
		for f := range 40 {
			path := fmt.Sprintf("%s/f%02d", dir, f)
			check(t, os.WriteFile(filepath.Join(private.Upper, path), []byte("12345"), 0o644))
			want = append(want, "added "+path)
		}
		want = append(want, "added "+dir+"/sub")
	}
	for f := range 100 {
		path := fmt.Sprintf("f%03d", f)
		check(t, os.WriteFile(filepath.Join(private.Upper, path), nil, 0o644))
		want = append(want, "added "+path)
	}
	found, err := layers.Changes(private.Upper, nil, layers.ByContent)
	check(t, err)
	if got := summary(found.Changes); !slices.Equal(got, want) {
		t.Errorf("changes (-want +got):\n%s", cmp.Diff(want, got))
	}
	if found.Entries != int64(len(want)) || found.Bytes != 40*40*5 {
		t.Errorf("counted %d entries and %d bytes, want %d and %d", found.Entries, found.Bytes, len(want), 40*40*5)
	}
}
