package digest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/digest"
)

func TestReadPlainReadsOnlySmallPlainFiles(t *testing.T) {
	dir := t.TempDir()
	file, fifo, zero := filepath.Join(dir, "file"), filepath.Join(dir, "fifo"), filepath.Join(dir, "zero")
	for _, err := range []error{os.WriteFile(file, []byte("12345"), 0o644), syscall.Mkfifo(fifo, 0o644), os.Symlink("/dev/zero", zero)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if data, err := digest.ReadPlain(file, 5); err != nil || string(data) != "12345" {
		t.Errorf("a file of the limit: %q, %v", data, err)
	}
	for path, want := range map[string]string{file: "more than 4 bytes", fifo: "not a plain file", zero: "not a plain file", dir: "not a plain file"} {
		if data, err := digest.ReadPlain(path, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", path, data, err, want)
		}
	}
	if _, err := digest.ReadPlain(filepath.Join(dir, "none"), 4); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}
