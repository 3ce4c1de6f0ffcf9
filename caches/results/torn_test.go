package results

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/digest"
)

// A record that a power cut left torn is no record, wherever it was torn.
func TestTornRecordsAreMisses(t *testing.T) {
	ctx := context.Background()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	files, key := NewFiles(layout), digest.Of(digest.BLAKE3, []byte("key"))
	record := &Record{Format: Format, Stdout: "x/1", Stderr: "y/2", Created: time.Unix(1, 0), RunMS: 5}
	if err := files.Save(ctx, key, record); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(files.path(key))
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.IndexByte(whole, '\n')
	for at := range len(whole) - 1 {
		zeroed := append(append([]byte{}, whole[:at]...), make([]byte, len(whole)-at)...)
		for _, torn := range [][]byte{whole[:at], zeroed} {
			if len(torn) == line || len(torn) == line+1 {
				continue // the whole record without its seal
			}
			if err := os.WriteFile(files.path(key), torn, 0o644); err != nil {
				t.Fatal(err)
			}
			if found, err := files.Load(ctx, key); found != nil || err != nil {
				t.Fatalf("%q is taken for %+v, %v", torn, found, err)
			}
		}
	}
	if err := files.Save(ctx, key, record); err != nil {
		t.Fatal(err)
	}
	if found, err := files.Load(ctx, key); err != nil || found == nil || found.RunMS != 5 {
		t.Errorf("written again it is %+v, %v", found, err)
	}
}
