package cas

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/digest"
)

// helperVariable makes the test binary lay out the sample tree in the store
// that it names, and end.
const helperVariable = "CAS_TEST_STORE"

func TestMain(m *testing.M) {
	root := os.Getenv(helperVariable)
	if root == "" {
		layertest.Main(m.Run)
	}
	layout, err := caches.OpenLayout(root)
	if err == nil {
		err = layOutSample(Open(layout, digest.BLAKE3), os.Args[1])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func open(t testing.TB) *Store {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return Open(layout, digest.BLAKE3)
}

// file is a file of a sample tree.
type file struct {
	text       string
	executable bool
}

// sampleFiles and sampleRest are a tree with everything that a tree can have.
func sampleFiles() map[string]file {
	return map[string]file{
		"README": {"read me", false}, "bin/tool": {"#!/bin/sh\n", true}, "bin/copy": {"#!/bin/sh\n", false},
		"src/a.py": {"one", false}, "src/b.py": {"two", false}, "src/deep/er/c.py": {"", false}, "src/again.py": {"one", false},
	}
}

func sampleRest() []digest.Entry {
	return []digest.Entry{
		{Path: "empty", Kind: digest.KindDirectory},
		{Path: "src/link", Kind: digest.KindSymlink, Target: "../README"},
		{Path: "out", Kind: digest.KindSymlink, Target: "/etc/passwd"},
	}
}

// treeOf makes a tree of files and other entries, without storing the files.
func treeOf(files map[string]file, rest ...digest.Entry) (*digest.Tree, error) {
	entries := rest
	for path, f := range files {
		entries = append(entries, digest.Entry{Path: path, Kind: digest.KindFile, Executable: f.executable, Digest: of(f.text)})
	}
	return digest.FromEntries(digest.BLAKE3, entries)
}

// originOf writes the files under dir and finds them by their digests.
func originOf(dir string, files map[string]file) (Origin, error) {
	places := map[digest.Digest]string{}
	for path, f := range files {
		at := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, []byte(f.text), 0o644); err != nil {
			return nil, err
		}
		places[of(f.text)] = at
	}
	return func(d digest.Digest) (string, bool) {
		path, ok := places[d]
		return path, ok
	}, nil
}

func layOutSample(store *Store, sources string) error {
	tree, err := treeOf(sampleFiles(), sampleRest()...)
	if err != nil {
		return err
	}
	origin, err := originOf(sources, sampleFiles())
	if err != nil {
		return err
	}
	_, err = store.Tree(context.Background(), tree, TreeOptions{Origin: origin})
	return err
}

// layOut lays a tree out whole, whose files come from a folder of sources, and
// returns the directory of its only layer.
func layOut(t testing.TB, store *Store, files map[string]file, rest ...digest.Entry) string {
	t.Helper()
	tree, err := treeOf(files, rest...)
	if err != nil {
		t.Fatal(err)
	}
	origin, err := originOf(t.TempDir(), files)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := store.Tree(t.Context(), tree, TreeOptions{Origin: origin})
	if err != nil {
		t.Fatal(err)
	}
	if len(stack) != 1 {
		t.Fatalf("laid out in %d layers, want one", len(stack))
	}
	return stack[0].Path
}

func of(text string) digest.Digest { return digest.Of(digest.BLAKE3, []byte(text)) }

func add(t testing.TB, store *Store, text string) digest.Digest {
	t.Helper()
	d, err := store.Add(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
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

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func stat(t testing.TB, path string) *unix.Stat_t {
	t.Helper()
	var at unix.Stat_t
	if err := unix.Lstat(path, &at); err != nil {
		t.Fatal(err)
	}
	return &at
}

func wantNothingLeft(t testing.TB, store *Store) {
	t.Helper()
	if left, err := os.ReadDir(store.layout.Temp()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// TestAsOrdinaryUser runs the other tests again as an ordinary user, when they
// are run by root, whom no mode of a file stops.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is an ordinary user already")
	}
	const user = 1000
	dir, err := os.MkdirTemp("", "cas-user-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "cas.test")
	put(t, binary, content(t, program))
	for _, path := range []string{dir, binary} {
		if err := os.Chown(path, user, user); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "-test.short")
	command.Dir, command.Env = dir, []string{"TMPDIR=" + dir, "HOME=" + dir}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("as user %d: %v\n%s", user, err, out)
	}
}
