package digest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestIndexesAreKeptAndSavedOnce(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "index")
	if err := os.WriteFile(filepath.Join(root, "a"), []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	kept, saved := NewIndexes(), 0
	write := func(to string, data []byte) error {
		saved++
		return os.WriteFile(to, data, 0o644)
	}
	scan := func(x *Indexes) *Index {
		index := x.Load(file, BLAKE3)
		if _, err := Scan(t.Context(), root, ScanOptions{Function: BLAKE3, Patterns: []string{"."}, Index: index}); err != nil {
			t.Fatal(err)
		}
		if err := x.Done(index, func(data []byte) error { return write(file, data) }); err != nil {
			t.Fatal(err)
		}
		return index
	}
	if first, second := scan(kept), scan(kept); first != second || saved != 0 {
		t.Errorf("two scans have two indexes, or saved %d times", saved)
	}
	if err := kept.Save(write); err != nil || saved != 1 {
		t.Errorf("saved %d times: %v", saved, err)
	}
	if err := kept.Save(write); err != nil || saved != 1 {
		t.Errorf("saved %d times, though nothing is new: %v", saved, err)
	}
	if first, second := scan(nil), scan(nil); first == second {
		t.Error("nobody keeps indexes, and yet there is one for two scans")
	}
	if err := (*Indexes)(nil).Save(write); err != nil {
		t.Error(err)
	}
}

func TestIndexesThatCannotBeSaved(t *testing.T) {
	kept, full := NewIndexes(), errors.New("no space left")
	index := kept.Load(filepath.Join(t.TempDir(), "index"), BLAKE3)
	index.remember("/a/b", record{content: Of(BLAKE3, nil)})
	if err := kept.Save(func(string, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("said %v", err)
	}
}
