package cas

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"larder/digest"
)

func TestAddedBlobsAreFound(t *testing.T) {
	store := open(t)
	rapid.Check(t, func(r *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(r, "data")
		d, err := store.Add(t.Context(), data)
		if err != nil || d != digest.Of(digest.BLAKE3, data) || !store.Has(d) {
			r.Fatalf("added as %s, %v", d, err)
		}
		if got, err := store.Blob(t.Context(), d); err != nil || !bytes.Equal(got, data) {
			r.Fatalf("got %x, %v; want %x", got, err, data)
		}
		var copied bytes.Buffer
		if err := store.CopyTo(&copied, d); err != nil || !bytes.Equal(copied.Bytes(), data) {
			r.Fatalf("copied %x, %v; want %x", copied.Bytes(), err, data)
		}
	})
	wantNothingLeft(t, store)
}

func TestBlobsOfEachFunctionAreApart(t *testing.T) {
	store := open(t)
	other := Open(store.layout, digest.SHA256)
	d := add(t, other, "text")
	if d.Function() != digest.SHA256 || other.Function() != digest.SHA256 || !other.Has(d) {
		t.Errorf("added as %s in %s", d, d.Function())
	}
	if store.Has(d) || store.Has(of("text")) {
		t.Error("the blob of one function is in the store of another")
	}
}

func TestMissingBlobs(t *testing.T) {
	store, d := open(t), of("nobody added this")
	_, errBlob := store.Blob(t.Context(), d)
	_, errOpen := store.Open(d)
	for _, err := range []error{errBlob, errOpen, store.CopyTo(io.Discard, d)} {
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), d.String()) {
			t.Errorf("%v; want that %s is missing", err, d)
		}
	}
	if store.Has(d) || store.Has(digest.Digest{}) {
		t.Error("the store has what nobody added")
	}
}

func TestBlobNoticesDamage(t *testing.T) {
	store := open(t)
	d := add(t, store, "some bytes")
	put(t, store.path(d, plain), "some bytez")
	if _, err := store.Blob(t.Context(), d); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a flipped byte: %v; want ErrCorrupt", err)
	}
	put(t, store.path(d, plain), "some")
	if _, err := store.Blob(t.Context(), d); !errors.Is(err, ErrMissing) || store.Has(d) {
		t.Errorf("cut short: %v; want it to count as missing", err)
	}
	if add(t, store, "some bytes"); content(t, store.path(d, plain)) != "some bytes" {
		t.Error("a blob that was cut short is not replaced by a whole one")
	}
}

func TestBlobRefusesWhatIsTooLargeForMemory(t *testing.T) {
	d, err := digest.New(digest.BLAKE3, strings.Repeat("0", 64), maxWhole+1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t).Blob(t.Context(), d); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v; want it refused", err)
	}
}

func TestAddFileNoticesAChange(t *testing.T) {
	store, path := open(t), filepath.Join(t.TempDir(), "input")
	for _, now := range []string{"after", "befor", "before and more", ""} {
		put(t, path, now)
		if err := store.AddFile(t.Context(), path, of("before"), plain); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q in the place of \"before\": %v; want ErrChanged and the name", now, err)
		}
	}
	if store.Has(of("before")) || store.Has(of("after")) {
		t.Error("a changed file is in the store")
	}
	wantNothingLeft(t, store)
	if err := store.AddFile(t.Context(), path+"x", of("before"), plain); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestAddFileKeepsBothForms(t *testing.T) {
	store, path := open(t), filepath.Join(t.TempDir(), "input")
	put(t, path, "text")
	for f, want := range map[Form]os.FileMode{plain: 0o644, executable: 0o755} {
		if err := store.AddFile(t.Context(), path, of("text"), f); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(store.path(of("text"), f))
		if err != nil || info.Mode() != want || !info.ModTime().Equal(ModTime(of("text"))) {
			t.Errorf("form %q: %v, %v; want mode %v, time %v", f, info, err, want, ModTime(of("text")))
		}
	}
}

func TestAddByManyAtOnce(t *testing.T) {
	store := open(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, text := range []string{"a", "b", "c", "d"} {
				if _, err := store.Add(context.Background(), []byte(strings.Repeat(text, 10_000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if !store.Has(of(strings.Repeat("d", 10_000))) {
		t.Error("not added")
	}
	wantNothingLeft(t, store)
}

func TestAddEndsWhenCancelled(t *testing.T) {
	store := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Add(ctx, []byte("text")); !errors.Is(err, context.Canceled) || store.Has(of("text")) {
		t.Errorf("%v; want it cancelled", err)
	}
	wantNothingLeft(t, store)
}

func TestWriterCommitsOrAborts(t *testing.T) {
	store := open(t)
	for _, commit := range []bool{true, false} {
		w := store.NewWriter()
		if _, err := io.WriteString(w, "in two "); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "parts"); err != nil {
			t.Fatal(err)
		}
		if !commit {
			w.Abort()
		} else if d, err := w.Commit(); err != nil || d != of("in two parts") {
			t.Errorf("committed as %s, %v", d, err)
		}
		w.Abort() // has no effect any more
		if store.Has(of("in two parts")) != commit {
			t.Errorf("committed: %v; in the store: %v", commit, !commit)
		}
		_ = os.Remove(store.path(of("in two parts"), plain))
	}
	wantNothingLeft(t, store)
}

func TestAdoptMovesTheFile(t *testing.T) {
	for _, f := range []Form{plain, executable} {
		store := open(t)
		path := filepath.Join(store.layout.Temp(), "output")
		put(t, path, "made")
		inode := stat(t, path).Ino
		d, err := store.Adopt(t.Context(), path, f)
		if err != nil || d != of("made") {
			t.Fatalf("adopted as %s, %v", d, err)
		}
		if got := stat(t, store.path(d, f)); got.Ino != inode || uint32(got.Mode)&0o7777 != uint32(f.mode()) {
			t.Errorf("inode %d, mode %o; want the same file, %d, in mode %o", got.Ino, got.Mode, inode, f.mode())
		}
		wantNothingLeft(t, store)
	}
}

func TestAdoptCopiesWhatHasAnotherName(t *testing.T) {
	store := open(t)
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	put(t, one, "made")
	if err := os.Link(one, two); err != nil {
		t.Fatal(err)
	}
	d, err := store.Adopt(t.Context(), one, plain)
	if err != nil {
		t.Fatal(err)
	}
	put(t, two, "evil") // through the other name
	if got, err := store.Blob(t.Context(), d); err != nil || string(got) != "made" {
		t.Errorf("the blob is %q, %v after a write by the other name", got, err)
	}
}

func TestAdoptWhatIsThereAlready(t *testing.T) {
	store := open(t)
	d := add(t, store, "made")
	before := stat(t, store.path(d, plain)).Ino
	path := filepath.Join(t.TempDir(), "output")
	put(t, path, "made")
	if got, err := store.Adopt(t.Context(), path, plain); err != nil || got != d {
		t.Fatalf("adopted as %s, %v", got, err)
	}
	if stat(t, store.path(d, plain)).Ino != before {
		t.Error("a blob was replaced by an equal one")
	}
}

func TestAdoptGetsPastModes(t *testing.T) {
	store := open(t)
	path := filepath.Join(store.layout.Temp(), "output")
	for _, mode := range []os.FileMode{0, 0o200, 0o111} {
		text := "made in mode " + mode.String()
		put(t, path, text)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		d, err := store.Adopt(t.Context(), path, plain)
		if err != nil {
			t.Fatalf("mode %v: %v", mode, err)
		}
		if got, err := store.Blob(t.Context(), d); err != nil || string(got) != text {
			t.Errorf("mode %v: %q, %v", mode, got, err)
		}
	}
}

func TestAdoptFollowsNoLink(t *testing.T) {
	store := open(t)
	dir := t.TempDir()
	secret, link := filepath.Join(dir, "secret"), filepath.Join(dir, "output")
	put(t, secret, "secret")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Adopt(t.Context(), link, plain); err == nil || store.Has(of("secret")) {
		t.Errorf("%v; want the link refused", err)
	}
}

func TestAdoptDropsExtendedAttributes(t *testing.T) {
	store := open(t)
	path := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(path, []byte("bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(path, "user.overlay.opaque", []byte("y"), 0); err != nil {
		t.Skipf("the file system of %s has no user attributes: %v", path, err)
	}
	if err := os.Chmod(path, 0o400); err != nil { // in the way of ordinary users
		t.Fatal(err)
	}
	d, err := store.Adopt(t.Context(), path, plain)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Listxattr(store.path(d, plain), nil); err != nil || n != 0 {
		t.Errorf("the blob has %d bytes of attribute names (%v), want none", n, err)
	}
}
