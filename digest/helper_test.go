package digest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeTree makes files below dir: content by path. A path that ends with a
// slash is a directory, content that begins with "-> " is a link, content that
// begins with "#!" makes the file executable.
func writeTree(t testing.TB, dir string, tree map[string]string) {
	t.Helper()
	for path, content := range tree {
		full := filepath.Join(dir, path)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		target, isLink := strings.CutPrefix(content, "-> ")
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		switch {
		case err != nil:
		case strings.HasSuffix(path, "/"):
			err = os.MkdirAll(full, 0o755)
		case isLink:
			err = os.Symlink(target, full)
		default:
			err = os.WriteFile(full, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
