package layers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/caches/layers"
)

func TestSpare(t *testing.T) {
	place, none := t.TempDir(), filepath.Join(t.TempDir(), "none")
	left := filepath.Join(place, "larder-spare-left")
	if err := os.MkdirAll(filepath.Join(left, "store", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := layers.NewSpare([]string{none, place})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(left); err == nil {
		t.Error("the spare of a process that died is still there")
	}
	second, err := layers.NewSpare([]string{place})
	if err != nil {
		t.Fatal(err)
	}
	for _, spare := range []*layers.Spare{first, second} {
		if info, err := os.Stat(spare.Layout.Runs()); err != nil || !info.IsDir() {
			t.Errorf("%s: %v; want a whole store", spare.Layout.Root(), err)
		}
		if err := spare.Close(); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(place); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, err := layers.NewSpare([]string{none}); err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("%v; want an error that names the place", err)
	}
}
