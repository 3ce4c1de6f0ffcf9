package results

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"larder/digest"
)

// scene makes things of every kind in a directory.
func scene(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "text")
	put(t, filepath.Join(dir, "folder/sub/a"), "a")
	put(t, filepath.Join(dir, "folder/b"), "b")
	for link, target := range map[string]string{"link": "file", "dangling": "nothing", "linked-folder": "folder"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// changes are what may happen to the scene, by the observed path that has to
// notice it.
func changes(dir string) map[string]map[string]func() error {
	at := func(path string) string { return filepath.Join(dir, path) }
	write := func(path, text string) func() error {
		return func() error { return os.WriteFile(at(path), []byte(text), 0o644) }
	}
	remove := func(path string) func() error { return func() error { return os.RemoveAll(at(path)) } }
	relink := func(path, target string) func() error {
		return func() error {
			if err := os.Remove(at(path)); err != nil {
				return err
			}
			return os.Symlink(target, at(path))
		}
	}
	return map[string]map[string]func() error{
		"file": {
			"content": write("file", "tixt"), "gone": remove("file"),
			"mode": func() error { return os.Chmod(at("file"), 0o755) },
		},
		"folder": {
			"new file": write("folder/new", ""), "content": write("folder/sub/a", "other"), "file gone": remove("folder/b"),
			"gone": remove("folder"), "new folder": func() error { return os.Mkdir(at("folder/new"), 0o755) },
		},
		"absent":        {"there": write("absent", "")},
		"link":          {"content behind": write("file", "more"), "other target": relink("link", "folder/b"), "gone": remove("link")},
		"dangling":      {"target there": write("nothing", ""), "other target": relink("dangling", "nowhere")},
		"linked-folder": {"content behind": write("folder/b", "more"), "other target": relink("linked-folder", "folder/sub")},
		"fifo":          {"gone": remove("fifo")},
	}
}

func TestObservationsNoticeEachChange(t *testing.T) {
	for path, all := range changes("") {
		for what := range all {
			t.Run(path+", "+what, func(t *testing.T) {
				dir := scene(t)
				seen, err := Observe(t.Context(), filepath.Join(dir, path), digest.BLAKE3)
				if err != nil {
					t.Fatal(err)
				}
				if !seen.Holds(t.Context(), digest.BLAKE3) {
					t.Fatal("does not hold although nothing changed")
				}
				if err := changes(dir)[path][what](); err != nil {
					t.Fatal(err)
				}
				if seen.Holds(t.Context(), digest.BLAKE3) {
					t.Errorf("%s still holds", seen.State)
				}
			})
		}
	}
}

func TestObservationsTellKindsApart(t *testing.T) {
	dir := scene(t)
	states := map[string]string{}
	for _, path := range []string{"file", "folder", "absent", "link", "dangling", "linked-folder", "fifo"} {
		seen, err := Observe(t.Context(), filepath.Join(dir, path), digest.BLAKE3)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := states[seen.State]; ok {
			t.Errorf("%s and %s are observed alike: %s", path, other, seen.State)
		}
		states[seen.State] = path
	}
	below, err := Observe(t.Context(), filepath.Join(dir, "file", "below"), digest.BLAKE3)
	if err != nil || states[below.State] != "absent" {
		t.Errorf("below a file: %+v, %v; want it absent", below, err)
	}
}
