package cas

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/digest"
)

// TestEqualFilesAreOneBlob: however many goroutines meet at one blob that the
// store did not have.
func TestEqualFilesAreOneBlob(t *testing.T) {
	for _, text := range []string{"", "equal", strings.Repeat("x", smallBlob), strings.Repeat("x", smallBlob+1)} {
		store, files := open(t), map[string]file{}
		for i := range 200 {
			files[fmt.Sprintf("folder-%d/file-%d", i%20, i)] = file{text, false}
		}
		dir := layOut(t, store, files)
		blob := stat(t, store.path(of(text), plain))
		if int(blob.Nlink) != len(files)+1 {
			t.Errorf("%d bytes: the blob has %d names, want those of %d files and its own", len(text), blob.Nlink, len(files))
		}
		for path := range files {
			if one := stat(t, filepath.Join(dir, path)); one.Ino != blob.Ino {
				t.Fatalf("%s of %d bytes is a file of its own", path, len(text))
			}
		}
		wantNothingLeft(t, store)
	}
}

// TestNewBlobsAreAsOthers: one that came to be as a file of a tree is no other
// than one that was added.
func TestNewBlobsAreAsOthers(t *testing.T) {
	first, added := open(t), open(t)
	layOut(t, first, map[string]file{"a": {"text", false}, "b": {"text", true}})
	add(t, added, "text")
	for _, f := range []Form{plain, executable} {
		if data, err := first.Blob(t.Context(), of("text")); err != nil || string(data) != "text" {
			t.Errorf("%q, %v", data, err)
		}
		if got := stat(t, first.path(of("text"), f)); os.FileMode(got.Mode)&0o7777 != f.mode() {
			t.Errorf("form %q has mode %o", f, got.Mode)
		}
	}
	if a, b := stat(t, first.path(of("text"), plain)), stat(t, added.path(of("text"), plain)); a.Mtim != b.Mtim || a.Mode != b.Mode {
		t.Errorf("of a tree: %v %o, added: %v %o", a.Mtim, a.Mode, b.Mtim, b.Mode)
	}
}

// TestAnOriginThatChanged: neither what it is now nor a part of it gets a name,
// and a blob in the other form will do as well.
func TestAnOriginThatChanged(t *testing.T) {
	for now, text := range map[string]string{"longer than it was": "text", "short": "text of old", "other": "texts"} {
		store := open(t)
		tree, err := treeOf(map[string]file{"a": {text, true}})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a")
		put(t, path, now)
		options := TreeOptions{Origin: func(digest.Digest) (string, bool) { return path, true }}
		if _, err := store.Tree(t.Context(), tree, options); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q that was %q: %v; want ErrChanged that names it", now, text, err)
		}
		if store.Has(of(now)) || store.Has(of(text)) {
			t.Errorf("%q that was %q is in the store", now, text)
		}
		wantNothingLeft(t, store)
		add(t, store, text)
		if _, err := store.Tree(t.Context(), tree, options); err != nil {
			t.Errorf("with the plain form in the store: %v", err)
		}
	}
}
