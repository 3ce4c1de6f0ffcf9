package layers_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"larder/caches/layers"
)

func TestMakePublic(t *testing.T) {
	upper := t.TempDir()
	path := func(name string) string { return filepath.Join(upper, name) }
	err := errors.Join(os.Mkdir(path("d"), 0o700), os.WriteFile(path("d/secret"), nil, 0o600), os.WriteFile(path("tool"), nil, 0o700),
		os.Symlink("/nowhere", path("link")), os.Chmod(path("d"), 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := layers.MakePublic(upper); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"d": 0o755, "d/secret": 0o644, "tool": 0o755} {
		if info, err := os.Stat(path(name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info, err, want)
		}
	}
}

func TestOwned(t *testing.T) {
	own := layers.Layer{Path: t.TempDir()}
	if !(layers.Stack{own}).Owned() || !(layers.Stack{}).Owned() {
		t.Error("an own layer counts as another user's")
	}
	if (layers.Stack{own, {Path: filepath.Join(own.Path, "none")}}).Owned() {
		t.Error("a layer that is missing counts as owned")
	}
	if os.Getuid() != 0 {
		return // nobody else can give a layer away
	}
	foreign := layers.Layer{Path: t.TempDir()}
	if err := os.Chown(foreign.Path, 1001, 1001); err != nil {
		t.Fatal(err)
	}
	if (layers.Stack{own, foreign}).Owned() {
		t.Error("another user's layer counts as owned")
	}
}
