package digest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// later returns an index whose clock is an hour ahead, so that files made just
// now are old enough to be remembered.
func later(x *Index) *Index {
	x.now = func() time.Time { return time.Now().Add(time.Hour) }
	return x
}

// save saves the index to file and reports whether there was anything to save.
func save(t testing.TB, x *Index, file string) bool {
	t.Helper()
	written := false
	err := x.Save(func(data []byte) error {
		written = true
		return os.WriteFile(file, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func scanWith(t testing.TB, root string, x *Index, patterns ...string) *Tree {
	t.Helper()
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	tree, err := Scan(context.Background(), root, ScanOptions{Function: x.Function(), Patterns: patterns, Index: x})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestIndexSparesReading(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "index")
	writeTree(t, root, map[string]string{"a": "1", "sub/b": "#!22", "sub/deep/c": "333", "z/d": "4444"})
	x := later(LoadIndex(file, SHA256))
	first := scanWith(t, root, x)
	if first.Stats.HashedFiles != 4 || first.Stats.HashedBytes != 12 {
		t.Errorf("first scan: %+v", first.Stats)
	}
	if again := scanWith(t, root, x); again.Stats.HashedFiles != 0 || again.Root != first.Root {
		t.Errorf("same index again: %+v", again.Stats)
	}
	if !save(t, x, file) || save(t, x, file) {
		t.Error("it should have something to save once, and then nothing")
	}
	x = later(LoadIndex(file, SHA256))
	second := scanWith(t, root, x)
	if second.Stats.HashedFiles != 0 || second.Root != first.Root {
		t.Errorf("from the file: %+v, root %s, want %s", second.Stats, second.Root, first.Root)
	}
	if save(t, x, file) {
		t.Error("an unchanged tree made the index change")
	}
	writeTree(t, root, map[string]string{"sub/b": "#!2x"})
	third := scanWith(t, root, x)
	if third.Stats.HashedFiles != 1 || third.Root == first.Root {
		t.Errorf("one file changed: %+v", third.Stats)
	}
}

func TestIndexNoticesEveryChange(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "file")
	for what, change := range map[string]func() error{
		"same size, same mtime": func() error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			err = os.WriteFile(path, []byte("bbb"), 0o644)
			return errors.Join(err, os.Chtimes(path, time.Time{}, info.ModTime()))
		},
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+"2", []byte("ccc"), 0o644), os.Rename(path+"2", path))
		},
		"executable": func() error { return os.Chmod(path, 0o755) },
	} {
		writeTree(t, root, map[string]string{"file": "aaa"})
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		x := later(NewIndex(BLAKE3))
		before := scanWith(t, root, x)
		awaitTick(t)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		after := scanWith(t, root, x)
		if want, err := scanAll(root); err != nil || after.Root != want.Root || after.Root == before.Root {
			t.Errorf("%s: root %s, before %s, without index %v %v", what, after.Root, before.Root, want, err)
		}
	}
}

// awaitTick waits until the clock that the file system stamps files with has
// moved on: the tests pretend that an hour has passed, and it needs a moment.
func awaitTick(t testing.TB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tick")
	stampNow := func() int64 {
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime().UnixNano()
	}
	for first := stampNow(); stampNow() == first; {
	}
}

func TestIndexDoesNotTrustYoungFiles(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"file": "aaa"})
	x := NewIndex(BLAKE3) // by the real clock the file was made just now
	x.now = func() time.Time {
		info, err := os.Stat(filepath.Join(root, "file"))
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime().Add(fineBlur / 2)
	}
	scanWith(t, root, x)
	if again := scanWith(t, root, x); again.Stats.HashedFiles != 1 {
		t.Errorf("a file as young as the clock's blur was trusted: %+v", again.Stats)
	}
	if _, err := FileDigest(filepath.Join(root, "file"), x); err != nil {
		t.Fatal(err)
	}
	if n := knownFiles(x.folder(root)); n != 0 {
		t.Errorf("%d young files were remembered", n)
	}
	later(x)
	scanWith(t, root, x)
	if again := scanWith(t, root, x); again.Stats.HashedFiles != 0 {
		t.Errorf("an old file was not remembered: %+v", again.Stats)
	}
}

// filesIn counts the files with a digest.
func filesIn(saved *savedIndex) int {
	count := 0
	for i := range saved.count {
		count += knownFiles(saved.block(i))
	}
	return count
}

func knownFiles(b block) int {
	count := 0
	for i := range b.len() {
		if b.has(i, flagContent) {
			count++
		}
	}
	return count
}

func TestDamagedIndexIsEmpty(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "index")
	writeTree(t, root, map[string]string{"a": "1", "sub/b": "22"})
	x := later(NewIndex(BLAKE3))
	want := scanWith(t, root, x).Root
	save(t, x, file)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if loaded := LoadIndex(file, BLAKE3); filesIn(&loaded.saved) != 2 {
		t.Fatalf("%d records in the good file, want 2", filesIn(&loaded.saved))
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 0x10
		if saved := openSaved(bad, BLAKE3); filesIn(&saved) != 0 {
			t.Fatalf("byte %d of %d is wrong and the index is used", at, len(good))
		}
		if saved := openSaved(good[:at], BLAKE3); filesIn(&saved) != 0 {
			t.Fatalf("cut at byte %d of %d and the index is used", at, len(good))
		}
	}
	if other := openSaved(good, SHA256); filesIn(&other) != 0 {
		t.Error("an index of another hash function is used")
	}
	if missing := LoadIndex(file+"2", BLAKE3); filesIn(&missing.saved) != 0 {
		t.Error("a missing index has records")
	}
	if got := scanWith(t, root, LoadIndex(root, BLAKE3)).Root; got != want {
		t.Errorf("with a directory for an index the root is %s, want %s", got, want)
	}
}

func TestIndexForgetsWhatIsGone(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "index")
	writeTree(t, root, map[string]string{"keep": "1", "src/a": "2", "src/b": "3", "old/x/y": "4", "other/z": "5"})
	x := later(LoadIndex(file, BLAKE3))
	scanWith(t, root, x)
	save(t, x, file)
	for _, path := range []string{"src/b", "old"} {
		if err := os.RemoveAll(filepath.Join(root, path)); err != nil {
			t.Fatal(err)
		}
	}
	x = later(LoadIndex(file, BLAKE3))
	scanWith(t, root, x, "/src") // other and keep are not looked at, but there
	if !save(t, x, file) {
		t.Fatal("nothing to save after files were removed")
	}
	x = LoadIndex(file, BLAKE3)
	var left []string
	for _, folder := range x.current() {
		for i := range folder.block.len() {
			if folder.block.kind(i) == unix.DT_DIR {
				continue
			}
			path, err := filepath.Rel(root, filepath.Join(folder.path, string(folder.block.name(i))))
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, path)
		}
	}
	slices.Sort(left)
	if want := []string{"keep", "other/z", "src/a"}; !slices.Equal(left, want) {
		t.Errorf("the index has %q, want %q", left, want)
	}
}

func TestIndexSaveReportsFailure(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a": "1"})
	x := later(NewIndex(BLAKE3))
	scanWith(t, root, x)
	full := errors.New("disk full")
	if err := x.Save(func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v, want the one of write", err)
	}
	if !save(t, x, filepath.Join(t.TempDir(), "index")) {
		t.Error("after a failed save there is nothing to save")
	}
}

func TestScanRefusesAnIndexOfAnotherFunction(t *testing.T) {
	_, err := Scan(context.Background(), t.TempDir(), ScanOptions{Function: SHA256, Index: NewIndex(BLAKE3)})
	if !errors.Is(err, ErrDigest) {
		t.Errorf("error %v, want ErrDigest", err)
	}
}

func TestFileDigest(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "index")
	writeTree(t, root, map[string]string{"program": "#!content", "link": "-> program", "dir/": "", "loop": "-> loop"})
	want := Of(SHA256, []byte("#!content"))
	x := later(LoadIndex(file, SHA256))
	for _, name := range []string{"program", "link"} {
		if got, err := FileDigest(filepath.Join(root, name), x); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	save(t, x, file)
	x = LoadIndex(file, SHA256)
	if n := knownFiles(x.folder(root)); n != 2 {
		t.Errorf("%d files remembered, want 2", n)
	}
	if got, err := FileDigest(filepath.Join(root, "link"), x); err != nil || got != want || x.changed {
		t.Errorf("from the index: %s, %v, changed %v", got, err, x.changed)
	}
	if got, err := FileDigest(filepath.Join(root, "program"), nil); err != nil || got != Of(BLAKE3, []byte("#!content")) {
		t.Errorf("without index: %s, %v", got, err)
	}
	for name, want := range map[string]error{"dir": ErrUnsupportedFile, "missing": ErrUnreadable, "loop": ErrUnreadable} {
		if _, err := FileDigest(filepath.Join(root, name), nil); !errors.Is(err, want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want %v that names it", name, err, want)
		}
	}
}

// FuzzIndex holds that no file can crash the reader, checksum or not.
func FuzzIndex(f *testing.F) {
	made, _ := makeBlock(folderStamp{inode: 1}, []folderItem{
		{name: "l", kind: unix.DT_LNK, target: "x"},
		{name: "x", kind: unix.DT_REG, record: record{stamp{size: 1}, Of(BLAKE3, []byte("x"))}},
	})
	made, _ = made.with(memo{key: sum{1}, digest: Of(BLAKE3, []byte("y")), taken: []byte{3}})
	f.Add(encodeIndex(BLAKE3, []savedFolder{{"/a", made}}), "/a", "x")
	f.Fuzz(func(t *testing.T, data []byte, folder, name string) {
		if len(data) >= foldersAt {
			data = slices.Clone(data)
			copy(data, indexMagic+"\x00")
			sum := Of(BLAKE3, data[countsAt:])
			copy(data[checksumAt:], sum.hash[:])
		}
		saved := openSaved(data, BLAKE3)
		there := saved.find(folder)
		if i, ok := there.find(name); ok && there.has(i, flagContent) && there.content(i, BLAKE3).Size() < 0 {
			t.Error("a digest of less than no bytes")
		}
		for i := range saved.count {
			readAll(t, saved.block(i))
		}
	})
}

// readAll reads all that a block has.
func readAll(t *testing.T, b block) {
	n := &node{block: b, taken: make([]byte, bytesFor(b.len()))}
	for i := range n.taken {
		n.taken[i] = 0xff
	}
	n.walk(BLAKE3, "", func(e Entry) bool { return e.Kind != 0 })
	for len(b.memos) > 0 {
		m, ok := b.memo(sum(b.memos), BLAKE3)
		if !ok || len(m.taken) != len(n.taken) || m.digest.Size() < 0 {
			t.Errorf("memo %+v of %d items", m, b.len())
		}
		b.memos = b.memos[memoLength(b.len()):]
	}
}
