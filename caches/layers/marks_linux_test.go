package layers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Marks are the same by the directory and by the path, however many there are,
// and a link is not followed.
func TestMarksByTheDirectoryAreThoseByThePath(t *testing.T) {
	dir := realDir{path: t.TempDir()}
	long := strings.Repeat("n", 200)
	marked := map[string][]string{"none": nil, "one": {"user.overlay.opaque"}, "many": nil, "link": nil}
	for n := range 4 {
		marked["many"] = append(marked["many"], "user."+long+string(rune('a'+n)))
	}
	for name, marks := range marked {
		path := filepath.Join(dir.path, name)
		if name == "link" {
			if err := os.Symlink("one", path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, mark := range marks {
			if err := unix.Setxattr(path, mark, []byte("y"), 0); err != nil {
				t.Skipf("no extended attributes: %v", err)
			}
		}
	}
	open := dir.open()
	defer open.close()
	if !open.isOpen {
		t.Fatal("the directory is not open")
	}
	for name, want := range marked {
		for _, at := range []realDir{dir, open} {
			got, err := at.marks(name, filepath.Join(dir.path, name))
			got = slices.DeleteFunc(got, func(mark string) bool { return !strings.HasPrefix(mark, "user.") })
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, open %v: %q, %v; want %q", name, at.isOpen, got, err, want)
			}
		}
	}
}
