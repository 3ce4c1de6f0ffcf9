package cas

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"larder/digest"
)

// tear leaves a file as a power cut does: some of it, zeros, or other bytes. It
// keeps the name, and the length but for the first.
func tear(t testing.TB, path, how string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "truncated":
		data = data[:len(data)/2]
	case "zeroed":
		data = make([]byte, len(data))
	case "flipped":
		data[len(data)-1] ^= 1
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// synced marks all that is there as being on the disk.
func synced(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Confirm(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkSynced(time.Now().Add(2 * syncSlack)); err != nil {
		t.Fatal(err)
	}
}

func TestTornBlobsAreMissingAfterAnotherBoot(t *testing.T) {
	for _, how := range []string{"truncated", "zeroed", "flipped"} {
		s := open(t).OnBoot("one")
		torn, whole := add(t, s, "torn by a power cut"), add(t, s, "whole")
		if !s.Has(torn) {
			t.Fatal("missing as long as the boot lasts")
		}
		tear(t, s.path(torn, plain), how)
		after := s.OnBoot("two")
		if after.Has(torn) || !after.Has(whole) {
			t.Errorf("%s: the torn blob is there: %v; the whole one: %v", how, after.Has(torn), after.Has(whole))
		}
		if _, err := after.Open(torn); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: opened with %v", how, err)
		}
		add(t, after, "torn by a power cut")
		if data, err := after.Blob(context.Background(), torn); err != nil || string(data) != "torn by a power cut" {
			t.Errorf("%s: added again it is %q, %v", how, data, err)
		}
	}
}

// A torn blob is replaced by whoever brings its content, whatever the way.
func TestTornBlobsAreReplaced(t *testing.T) {
	ctx := context.Background()
	const text = "an output of a tool"
	for way, bring := range map[string]func(s *Store, path string, d digest.Digest) error{
		"a file":   func(s *Store, path string, d digest.Digest) error { return s.AddFile(ctx, path, d, plain) },
		"an adopt": func(s *Store, path string, d digest.Digest) error { _, err := s.Adopt(ctx, path, plain); return err },
		"a writer": func(s *Store, _ string, d digest.Digest) error {
			w := s.NewWriter()
			fmt.Fprint(w, text)
			_, err := w.Commit()
			return err
		},
	} {
		s := open(t).OnBoot("one")
		d := add(t, s, text)
		tear(t, s.path(d, plain), "zeroed")
		path := filepath.Join(s.layout.Temp(), "file")
		put(t, path, text)
		after := s.OnBoot("two")
		if err := bring(after, path, d); err != nil {
			t.Errorf("%s: %v", way, err)
		}
		if data, err := after.Blob(ctx, d); err != nil || string(data) != text {
			t.Errorf("after %s the blob is %q, %v", way, data, err)
		}
	}
}

func TestOnlyWhatWasWrittenAfterTheSyncIsInDoubt(t *testing.T) {
	s := open(t).OnBoot("one")
	d := add(t, s, "x")
	at := changedAt(t, s.path(d, plain))
	for _, test := range []struct {
		synced time.Time
		boot   string
		want   bool
	}{
		{time.Time{}, "one", false},
		{time.Time{}, "", false},
		{time.Time{}, "two", true},
		{at.Add(-time.Hour), "two", true},
		{at.Add(time.Second), "two", false},
	} {
		record := readBoot(s.layout)
		record.BootID, record.Synced = "one", test.synced
		if err := record.write(s.layout); err != nil {
			t.Fatal(err)
		}
		if doubt := s.OnBoot(test.boot).doubt(); doubt.covers(at) != test.want {
			t.Errorf("synced %v, boot %q: in doubt %v; want %v", test.synced, test.boot, doubt.covers(at), test.want)
		}
	}
}

func changedAt(t *testing.T, path string) time.Time {
	t.Helper()
	return changed(stat(t, path))
}

func TestBootRecordThatIsTorn(t *testing.T) {
	s := open(t).OnBoot("one")
	torn, whole := add(t, s, "torn"), add(t, s, "whole")
	synced(t, s)
	tear(t, s.path(torn, plain), "flipped")
	tear(t, bootPath(s.layout), "zeroed")
	if after := s.OnBoot("one"); after.Has(torn) || !after.Has(whole) {
		t.Errorf("without a record: torn %v, whole %v", after.Has(torn), after.Has(whole))
	}
}

func TestConfirmEndsAllDoubt(t *testing.T) {
	s := open(t).OnBoot("one")
	torn, whole := add(t, s, "torn"), add(t, s, "whole")
	tear(t, s.path(torn, plain), "flipped")
	after := s.OnBoot("two")
	synced(t, after)
	last := s.OnBoot("three")
	if last.doubt().covers(changedAt(t, s.path(whole, plain))) || last.Has(torn) || !last.Has(whole) {
		t.Errorf("after the sync: %+v, torn %v, whole %v", last.doubt(), last.Has(torn), last.Has(whole))
	}
	if got := LastSync(s.layout); got.Before(time.Now()) {
		t.Errorf("last sync %v", got)
	}
}

// Dropping a tree changes the inodes of its blobs, which must not end doubt.
func TestDroppingATreeEndsNoDoubt(t *testing.T) {
	s := open(t).OnBoot("one")
	layer := layOut(t, s, sampleFiles())
	tear(t, s.path(of("read me"), plain), "flipped")
	after := s.OnBoot("two")
	after.Has(of("two"))
	if err := os.RemoveAll(filepath.Dir(layer)); err != nil {
		t.Fatal(err)
	}
	if after.Has(of("read me")) || s.OnBoot("two").Has(of("read me")) {
		t.Error("a torn blob is used")
	}
}

func TestLastChange(t *testing.T) {
	s := open(t)
	if at := LastChange(s.layout); !at.IsZero() {
		t.Errorf("an empty store changed at %v", at)
	}
	add(t, s, "x")
	if at := LastChange(s.layout); time.Since(at).Abs() > time.Minute {
		t.Errorf("a blob was just added, and the last change is %v", at)
	}
}

// A tree of an earlier boot that was not synced is laid out again, whatever has
// become of it; one that was stays.
func TestTreesAfterAnotherBoot(t *testing.T) {
	s := open(t).OnBoot("one")
	layer := layOut(t, s, sampleFiles(), sampleRest()...)
	made := changedAt(t, layer)
	tear(t, filepath.Join(layer, "README"), "zeroed") // the blob too: it is one file
	after := s.OnBoot("two")
	wantSample(t, layOut(t, after, sampleFiles(), sampleRest()...))
	if again := changedAt(t, layer); !again.After(made) {
		t.Errorf("made at %v, and still so at %v", made, again)
	}
	tree, err := treeOf(sampleFiles(), sampleRest()...)
	if err != nil {
		t.Fatal(err)
	}
	synced(t, after)
	if _, err := s.OnBoot("three").findTree(tree.Root); err != nil {
		t.Errorf("a synced tree is missing after a restart: %v", err)
	}
}

// Whatever a power cut does to blobs that were not synced, a blob that the next
// boot finds has the right bytes.
func TestPowerCutsNeverShowWrongBlobs(t *testing.T) {
	texts := []string{"a", "bb", "ccc", "dddd"}
	rapid.Check(t, func(r *rapid.T) {
		s := open(t).OnBoot("0")
		for boot := range rapid.IntRange(1, 4).Draw(r, "boots") {
			for range rapid.IntRange(0, 5).Draw(r, "adds") {
				add(t, s, rapid.SampledFrom(texts).Draw(r, "text"))
			}
			if rapid.Bool().Draw(r, "sync") {
				synced(t, s)
				return // no cut tears what is on the disk
			}
			for _, text := range texts {
				cutPower(t, s.path(of(text), plain), rapid.SampledFrom(cuts()).Draw(r, "cut"))
			}
			s = s.OnBoot(fmt.Sprint(boot + 1))
			for _, text := range texts {
				if data, err := s.Blob(context.Background(), of(text)); err == nil && string(data) != text || errors.Is(err, ErrCorrupt) {
					r.Fatalf("%q is %q, %v", text, data, err)
				}
			}
		}
	})
}

func cuts() []string { return []string{"whole", "truncated", "zeroed", "flipped", "missing"} }

func cutPower(t testing.TB, path, how string) {
	t.Helper()
	if _, err := os.Lstat(path); err != nil || how == "whole" {
		return
	}
	if how == "missing" {
		os.Remove(path)
		return
	}
	tear(t, path, how)
}
