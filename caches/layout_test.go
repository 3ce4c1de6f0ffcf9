package caches

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// openVariable makes the test binary open the store that it names, and end.
const openVariable = "CACHES_TEST_OPEN"

func TestMain(m *testing.M) {
	root := os.Getenv(openVariable)
	if root == "" {
		os.Exit(m.Run())
	}
	layout, err := OpenLayout(root)
	if err == nil {
		err = layout.WriteFile(filepath.Join(layout.Index(), "one"), []byte("whole"), 0o644)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

func open(t testing.TB) Layout {
	t.Helper()
	layout, err := OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

func TestOpenLayoutMakesTheStore(t *testing.T) {
	layout := open(t)
	if tag, err := os.ReadFile(filepath.Join(layout.Root(), "CACHEDIR.TAG")); err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55") {
		t.Errorf("CACHEDIR.TAG: %q, %v", tag, err)
	}
	if ignore, err := os.ReadFile(filepath.Join(layout.Root(), ".gitignore")); err != nil || string(ignore) != "*\n" {
		t.Errorf(".gitignore: %q, %v", ignore, err)
	}
	if _, err := os.Stat(filepath.Join(layout.Root(), "README")); err != nil {
		t.Error(err)
	}
	folders := []string{
		layout.CAS(), layout.Results(), layout.Layers(), layout.Named(),
		layout.Payloads(), layout.Index(), layout.Runs(), layout.Idle(), layout.Temp(),
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", folder, err)
		}
		if !slices.Contains(KnownFolders(), filepath.Base(folder)) {
			t.Errorf("%s is not among the known folders", folder)
		}
	}
}

func TestOpenLayoutKeepsOthersOut(t *testing.T) {
	layout := open(t)
	if info, err := os.Stat(layout.Root()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new store: %v, %v; want mode 0700", info.Mode(), err)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(shared); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(shared); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("a directory that was there: %v, %v; want mode 0750", info.Mode(), err)
	}
}

func TestOpenLayoutLeavesWhatIsThere(t *testing.T) {
	layout := open(t)
	strange := filepath.Join(layout.Root(), "cas-v999", "file")
	if err := os.MkdirAll(filepath.Dir(strange), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strange, []byte("future"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(layout.Root()); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(strange); err != nil || string(data) != "future" {
		t.Errorf("a part of an unknown version: %q, %v", data, err)
	}
}

func TestOpenLayoutMendsAnInterruptedCreation(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "cas-v1"), 0o755); err != nil {
		t.Fatal(err)
	}
	layout, err := OpenLayout(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(layout.Temp()); err != nil {
		t.Error(err)
	}
}

func TestOpenLayoutByManyAtOnce(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a", "store")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			command := exec.Command(program)
			command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", openVariable+"="+root)
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("a process: %v: %s", err, out)
			}
		})
	}
	for range 8 {
		group.Go(func() {
			if _, err := OpenLayout(root); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	layout, err := OpenLayout(root)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(layout.Temp()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	if data, err := os.ReadFile(filepath.Join(layout.Index(), "one")); err != nil || string(data) != "whole" {
		t.Errorf("what the processes wrote: %q, %v", data, err)
	}
}

func TestOpenLayoutOverAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{path, filepath.Join(path, "below")} {
		_, err := OpenLayout(root)
		if !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--store") {
			t.Errorf("%s: %v; want an error that names the file and what to do", root, err)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file is now %q, %v", data, err)
	}
}

func TestOpenLayoutWhereNothingCanBeWritten(t *testing.T) {
	parent := t.TempDir()
	root := filepath.Join(parent, "store")
	if os.Geteuid() == 0 {
		root = "/proc/store" // nobody can make a directory there
	} else if err := os.Chmod(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := OpenLayout(root)
	if !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), root) {
		t.Fatalf("%v; want an error that names %s", err, root)
	}
	said := err.Error()
	if IsFault(err) {
		said += "; " + FaultAdvice(err) // given by whoever cannot go on without the store
	}
	if strings.Count(said, "--store") != 1 {
		t.Errorf("%s; want it to say once what to do", said)
	}
}

func TestStoreIsNotMadeAmongFilesOfOthers(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "main.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(root); !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), "main.py") {
		t.Errorf("got %v, want an error that names main.py", err)
	}
	if entries, _ := os.ReadDir(root); len(entries) != 1 {
		t.Errorf("%d entries are there now, want the one that was", len(entries))
	}
}

func TestStoreThatLostItsTemporaryFolderIsMended(t *testing.T) {
	layout, err := OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(layout.Temp()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(layout.Root()); err != nil {
		t.Fatal(err)
	}
	if err := layout.WriteFile(filepath.Join(layout.Root(), "README"), []byte("x"), 0o644); err != nil {
		t.Error(err)
	}
}
