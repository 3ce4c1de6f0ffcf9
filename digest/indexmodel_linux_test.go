package digest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// edits are what people and tools do to a tree; each gets a path that may or may
// not be there, and another one. What is not possible is left.
var edits = map[string]func(path, other string) error{
	"write":  func(path, _ string) error { return overwrite(path, "one") },
	"longer": func(path, _ string) error { return overwrite(path, "longer") },
	"same size, same mtime": func(path, _ string) error {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && len(content) > 0 {
			content[0] ^= 1
			err = overwrite(path, string(content))
		}
		return errors.Join(err, os.Chtimes(path, time.Time{}, info.ModTime()))
	},
	"replace": func(path, other string) error {
		return errors.Join(overwrite(other+".new", "two"), os.Rename(other+".new", path))
	},
	"rename": os.Rename,
	"exchange": func(path, other string) error {
		return unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
	},
	"hard link": func(path, other string) error {
		return os.Link(path, other)
	},
	"remove":     func(path, _ string) error { return os.RemoveAll(path) },
	"executable": func(path, _ string) error { return os.Chmod(path, 0o755) },
	"plain":      func(path, _ string) error { return os.Chmod(filepath.Dir(path), 0o700) },
	"link":       func(path, _ string) error { return errors.Join(os.Remove(path), os.Symlink("a", path)) },
	"other link": func(path, _ string) error { return errors.Join(os.Remove(path), os.Symlink("b", path)) },
	"folder":     func(path, _ string) error { return os.MkdirAll(path, 0o755) },
	"FIFO":       func(path, _ string) error { return unix.Mkfifo(path, 0o644) },
	"ignore a": func(path, _ string) error {
		return overwrite(filepath.Join(filepath.Dir(path), ".gitignore"), "a\n")
	},
	"ignore b": func(path, _ string) error {
		return overwrite(filepath.Join(filepath.Dir(path), ".larderignore"), "/b\n!a\n")
	},
	"ignore nothing": func(path, _ string) error { return os.Remove(filepath.Join(filepath.Dir(path), ".gitignore")) },
	"old folder times": func(path, _ string) error {
		return os.Chtimes(filepath.Dir(path), time.Unix(1, 0), time.Unix(1, 0))
	},
}

// overwrite writes a file, unless a FIFO would hold it up.
func overwrite(path, text string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.ErrInvalid
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// selections take turns, more of them than a folder has memos.
var selections = []ScanOptions{
	{Patterns: []string{"."}},
	{Patterns: []string{"*", "!d/b"}},
	{Patterns: []string{"**/a"}},
	{Patterns: []string{"d/**"}, Exclude: []string{"d/e"}},
	{Patterns: []string{"/d", "a"}},
	{Patterns: []string{".", "d/e/a"}},
	// Nothing but files, which may be known without a look at their folders.
	{Patterns: []string{"/a", "d/a"}},
	{Patterns: []string{"./d/e/a", "f/g/h/a", "d/e/a"}, Exclude: []string{"d/e"}},
	{Patterns: []string{"d/b"}},
}

// TestIndexNeverChangesAResult edits a tree at random and compares each scan that
// has an index with one that has none. The clock of the index is ahead, so all
// that was seen counts as old enough, and each edit waits until it is.
func TestIndexNeverChangesAResult(t *testing.T) {
	base := t.TempDir()
	runs, known := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		root, file := filepath.Join(base, fmt.Sprint(runs)), filepath.Join(base, fmt.Sprint(runs, ".index"))
		writeTree(t, root, map[string]string{"a": "1", "b": "-> a", "d/a": "2", "d/b": "3", "d/e/a": "4", "f/g/h/a": "#!5", "f/empty/": ""})
		x := later(LoadIndex(file, BLAKE3))
		path := rapid.SampledFrom([]string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f/g", "f/g/h/a", "f/empty/c"})
		edit := rapid.SampledFrom(slices.Sorted(maps.Keys(edits)))
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			awaitTick(t)
			for range rapid.IntRange(0, 2).Draw(r, "edits") {
				_ = edits[edit.Draw(r, "edit")](filepath.Join(root, path.Draw(r, "path")), filepath.Join(root, path.Draw(r, "other")))
			}
			known += compareScans(r, root, x, rapid.SampledFrom(selections).Draw(r, "selection"))
			if rapid.Bool().Draw(r, "save") {
				save(t, x, file)
				x = later(LoadIndex(file, BLAKE3))
			}
		}
	})
	if known == 0 {
		t.Error("the index knew no file in any scan")
	}
}

// compareScans scans with and without the index, and returns how many files did
// not have to be read.
func compareScans(r *rapid.T, root string, x *Index, opts ScanOptions) int {
	want, wantErr := Scan(context.Background(), root, opts)
	opts.Index = x
	got, gotErr := Scan(context.Background(), root, opts)
	if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		r.Fatalf("with the index %v, without %v", gotErr, wantErr)
	}
	if wantErr != nil {
		return 0
	}
	with, without := slices.Collect(got.Entries()), slices.Collect(want.Entries())
	if got.Root != want.Root || !slices.Equal(with, without) || got.Stats.Files != want.Stats.Files {
		r.Fatalf("with the index %q, without %q", describe(with), describe(without))
	}
	if !maps.EqualFunc(got.Directories(), want.Directories(), slices.Equal) {
		r.Fatalf("the messages differ with the index")
	}
	return got.Stats.Files - got.Stats.HashedFiles
}
