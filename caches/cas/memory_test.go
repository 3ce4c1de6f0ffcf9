package cas

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"larder/digest"
)

// TestMemoryIsFlat: what is allocated does not grow with the size of a blob.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("reads gigabytes")
	}
	store, dir := open(t), t.TempDir()
	const large, most = 1 << 30, 8 << 20
	var d digest.Digest
	adopted, exported := filepath.Join(store.layout.Temp(), "sparse"), filepath.Join(dir, "exported")
	for _, step := range []struct {
		name string
		work func() error
	}{
		{"adopt 1 GiB", func() (err error) {
			d, err = store.Adopt(t.Context(), sparse(t, adopted, large), plain)
			return err
		}},
		{"add 64 MiB", func() error {
			path := sparse(t, filepath.Join(dir, "input"), large/16)
			small, err := digest.FileDigest(path, nil)
			if err != nil {
				return err
			}
			d = small
			return store.AddFile(t.Context(), path, d, plain)
		}},
		{"copy 64 MiB", func() error { return store.CopyTo(io.Discard, d) }},
		{"export 64 MiB", func() error { return store.Export(t.Context(), fileEntry(d), exported) }},
	} {
		if used := allocated(t, step.work); used > most {
			t.Errorf("%s: %d bytes were allocated, want at most %d", step.name, used, most)
		}
	}
}

func sparse(t testing.TB, path string, size int64) string {
	t.Helper()
	put(t, path, "")
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// allocated returns how many bytes work allocated, garbage included.
func allocated(t testing.TB, work func() error) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := work(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
