package layertest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tree is a small tree: path to content. A path that ends in a slash is an
// empty directory; content that begins with "-> " is a link.
type Tree map[string]string

// Write puts the tree into a directory, which it makes.
func (tree Tree) Write(t testing.TB, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	for path, content := range tree {
		full := filepath.Join(dir, path)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(path, "/"):
			must(t, os.MkdirAll(full, 0o755))
		case link:
			must(t, os.Symlink(target, full))
		default:
			must(t, os.WriteFile(full, []byte(content), 0o644))
		}
	}
}

// Read reads a plain directory. Directories that hold something are not listed.
func Read(t testing.TB, dir string) Tree {
	t.Helper()
	tree := Tree{}
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		return tree.Add(name, path, entry.Type())
	}))
	return tree
}

// Add reads one entry, whose parents were added before, into the tree.
func (tree Tree) Add(name, path string, kind fs.FileMode) error {
	delete(tree, filepath.Dir(name)+"/")
	switch {
	case kind.IsDir():
		tree[name+"/"] = ""
	case kind&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		tree[name] = "-> " + target
		return err
	case kind.IsRegular():
		content, err := os.ReadFile(path)
		tree[name] = string(content)
		return err
	default:
		tree[name] = fmt.Sprintf("special %s", kind)
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
