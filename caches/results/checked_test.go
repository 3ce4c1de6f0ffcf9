package results

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"larder/caches/cas"
	"larder/digest"
)

// whole stores an answer with every kind of output, and all of its blobs.
func whole(t testing.TB, files Files, blobs *cas.Store) (*Record, []digest.Digest) {
	t.Helper()
	tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{
		{Path: "f", Kind: digest.KindFile, Digest: of("below")}, {Path: "sub/g", Kind: digest.KindFile, Digest: of("deep")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := blobs.AddDirectories(t.Context(), tree.Directories()); err != nil {
		t.Fatal(err)
	}
	needed := []digest.Digest{}
	for d := range tree.Directories() {
		needed = append(needed, d)
	}
	for _, text := range []string{"out", "err", "file", "below", "deep", "the tree of all"} {
		d, err := blobs.Add(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		needed = append(needed, d)
	}
	record := &Record{
		Format: Format, Stdout: of("out").String(), Stderr: of("err").String(), OutputTree: of("the tree of all").String(),
		Outputs: []Output{
			{Path: "d", Kind: "directory", Digest: tree.Root.String()}, {Path: "f", Kind: "file", Digest: of("file").String()},
			{Path: "l", Kind: "symlink", Target: "f"},
		},
	}
	if err := NewChecked(files, blobs).Record(t.Context(), of("key"), record); err != nil {
		t.Fatal(err)
	}
	return record, needed
}

// blobPath is where the store keeps a blob.
func blobPath(files Files, d digest.Digest) string {
	return filepath.Join(files.layout.CAS(), "blake3", d.Hash()[:2], d.Hash())
}

func TestCheckedMissesEachBlob(t *testing.T) {
	files, blobs := open(t)
	_, needed := whole(t, files, blobs)
	checked := NewChecked(files, blobs)
	trusted := func() bool {
		record, _, err := checked.Lookup(t.Context(), of("key"))
		if err != nil {
			t.Fatal(err)
		}
		return record != nil
	}
	if !trusted() {
		t.Fatal("a whole answer is not trusted")
	}
	for _, d := range needed {
		path := blobPath(files, d)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		if trusted() {
			t.Errorf("trusted without %s", d)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	if !trusted() {
		t.Error("not trusted with all blobs back")
	}
}

func TestCheckedRefusesDigestsThatCannotBeRead(t *testing.T) {
	files, blobs := open(t)
	for what, spoil := range map[string]func(*Record){
		"no standard output":  func(r *Record) { r.Stdout = "" },
		"no standard error":   func(r *Record) { r.Stderr = "-" },
		"an output tree":      func(r *Record) { r.OutputTree = "abc/1" },
		"a file":              func(r *Record) { r.Outputs[1].Digest = "" },
		"a directory":         func(r *Record) { r.Outputs[0].Digest = "x" },
		"a file as directory": func(r *Record) { r.Outputs[0].Digest = r.Outputs[1].Digest },
	} {
		record, _ := whole(t, files, blobs)
		spoil(record)
		checked := NewChecked(files, blobs)
		if err := checked.Record(t.Context(), of("key"), record); err != nil {
			t.Fatal(err)
		}
		if got, _, err := checked.Lookup(t.Context(), of("key")); got != nil {
			t.Errorf("%s: %+v, %v; want none", what, got, err)
		}
	}
}

func TestCheckedHasNothingToOffer(t *testing.T) {
	files, blobs := open(t)
	if got, _, err := NewChecked(files, blobs).Lookup(t.Context(), of("key")); got != nil || err != nil {
		t.Errorf("%+v, %v; want nothing", got, err)
	}
}

var errBroken = errors.New("broken")

// broken stands for a backend whose disk or server fails.
type broken struct{ Files }

func (broken) Load(context.Context, digest.Digest) (*Record, error) { return nil, errBroken }

func TestCheckedPassesAFailureOn(t *testing.T) {
	files, blobs := open(t)
	if _, _, err := NewChecked(broken{files}, blobs).Lookup(t.Context(), of("key")); !errors.Is(err, errBroken) {
		t.Errorf("%v; want the backend's error", err)
	}
}

func TestCheckedLooksAtWhatWasObserved(t *testing.T) {
	files, blobs := open(t)
	record, _ := whole(t, files, blobs)
	path := filepath.Join(t.TempDir(), "config")
	put(t, path, "one")
	observed, err := Observe(t.Context(), path, digest.BLAKE3)
	if err != nil {
		t.Fatal(err)
	}
	record.Observed = []Observation{observed}
	checked := NewChecked(files, blobs)
	if err := checked.Record(t.Context(), of("key"), record); err != nil {
		t.Fatal(err)
	}
	for _, state := range []struct {
		text    string
		trusted bool
	}{{"one", true}, {"two", false}, {"one", true}} {
		put(t, path, state.text)
		if got, _, err := checked.Lookup(t.Context(), of("key")); err != nil || (got != nil) != state.trusted {
			t.Errorf("with %q in it: %+v, %v; trusted should be %v", state.text, got, err, state.trusted)
		}
	}
}
