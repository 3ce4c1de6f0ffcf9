package results

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/digest"
)

func open(t testing.TB) (Files, *cas.Store) {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return NewFiles(layout), cas.Open(layout, digest.BLAKE3)
}

func of(text string) digest.Digest { return digest.Of(digest.BLAKE3, []byte(text)) }

func sample() *Record {
	return &Record{
		Format: Format, ExitCode: 1, Stdout: of("out").String(), Stderr: of("err").String(), OutputTree: of("tree").String(),
		Outputs: []Output{
			{Path: "a", Digest: of("a").String(), Kind: "file", Executable: true},
			{Path: "l", Kind: "symlink", Target: "a"},
		},
		Observed: []Observation{{"/etc/hosts", "absent "}}, IgnoresInput: true, Action: []byte("action"), Command: []byte("command"), Created: time.Unix(1e9, 0).UTC(),
		RunMS: 1.5, MaxRSSBytes: 1, UserMS: 2, SystemMS: 3,
	}
}

// answer is the sample without its messages.
func answer() *Record {
	record := sample()
	record.Action, record.Command = nil, nil
	return record
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
