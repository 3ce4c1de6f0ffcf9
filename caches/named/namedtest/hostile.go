package namedtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
)

// Hostile goes every way around append-only, for one way of making private
// layers: none changes what was published, each is reported by path and kind.
func Hostile(t *testing.T, backing Backing) {
	if backing == Overlaid {
		layertest.NeedOverlay(t)
	}
	for _, way := range Ways() {
		t.Run(way.Name, func(t *testing.T) {
			way.Need(t)
			c := New(t, caches.AppendOnly, backing)
			c.Do(Publishing)
			before := Raw(t, c.Layout.Layers())
			got := c.Do(way.Script)
			way.Reported(t, got.Violations, backing)
			if got.Duplicates > way.Duplicates || backing == Overlaid && got.Duplicates != way.Duplicates || len(got.Conflicts) > 0 {
				t.Errorf("%d duplicates, want %d; conflicts %q", got.Duplicates, way.Duplicates, got.Conflicts)
			}
			StillThere(t, before, c.Layout.Layers())
			c.Holds(way.Leaves())
		})
	}
}

// Need skips the test where what the way needs is not installed.
func (w Way) Need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("python3"); w.Python && err != nil {
		t.Skip(err)
	}
}

// Reported compares what was reported, in whatever order.
func (w Way) Reported(t testing.TB, got []named.Violation, backing Backing) {
	t.Helper()
	order := func(a, b named.Violation) int { return strings.Compare(a.Path, b.Path) }
	if diff := cmp.Diff(w.Want(backing), slices.SortedFunc(slices.Values(got), order)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

// Leaves is what the cache holds afterwards.
func (w Way) Leaves() layertest.Tree {
	tree := Published()
	for path, content := range w.Adds {
		tree[path] = content
		delete(tree, filepath.Dir(path)+"/")
	}
	return tree
}

// Raw reads what files there are in a directory, with all that could be changed
// about them but the times of directories.
func Raw(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	Check(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case entry.IsDir():
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			Check(t, err)
			content = fmt.Sprint(info.ModTime().UnixNano(), string(data))
		default:
			content, _ = os.Readlink(path)
		}
		files[path] = fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino, info.Mode(), attributes(path), content)
		return nil
	}))
	return files
}

func attributes(path string) string {
	buffer := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buffer)
	if err != nil || n < 0 {
		return ""
	}
	return string(buffer[:n])
}

// StillThere checks that everything that was in a directory is there, unchanged.
func StillThere(t testing.TB, before map[string]string, dir string) {
	t.Helper()
	after := Raw(t, dir)
	for path, was := range before {
		if after[path] != was {
			t.Errorf("%s was changed:\n%q\n%q", path, was, after[path])
		}
	}
}
