package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/digest"
)

func TestTheModeOfAToolIsPartOfItsState(t *testing.T) {
	file := tool{path: filepath.Join(t.TempDir(), "tool")}
	if err := os.WriteFile(file.path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		text, err := toolState(t.Context(), file, digest.NewIndex(digest.BLAKE3), digest.BLAKE3)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := state()
	if again := state(); again != before {
		t.Errorf("the state went from %q to %q by itself", before, again)
	}
	if err := os.Chmod(file.path, 0o644); err != nil {
		t.Fatal(err)
	}
	if state() == before {
		t.Errorf("the state is %q whether or not the tool can be executed", before)
	}
}

// TestOnlyTheFirstLookWrites: the second one may be on its way when the run has
// ended, and a file that it was writing would be left behind.
func TestOnlyTheFirstLookWrites(t *testing.T) {
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	program, index := filepath.Join(t.TempDir(), "tool"), filepath.Join(layout.Index(), "programs")
	r := New(Config{Layout: layout, Blobs: cas.Open(layout, digest.BLAKE3), ProgramIndex: index})
	look := r.states(scene{found: found{program: program, bare: true}})
	var seen []string
	for i, text := range []string{"#!/bin/sh\n", "#!/bin/sh\nexit 1\n"} {
		old := time.Now().Add(-time.Hour + time.Duration(i)*time.Minute)
		if err := errors.Join(os.WriteFile(program, []byte(text), 0o755), os.Chtimes(program, old, old)); err != nil {
			t.Fatal(err)
		}
		properties, err := look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(properties))
		if err := os.Remove(index); (err == nil) != (i == 0) {
			t.Errorf("look %d: the index: %v", i+1, err)
		}
	}
	if seen[0] == seen[1] {
		t.Errorf("both looks saw %s", seen[0])
	}
}

func TestInstallingChangesAFolder(t *testing.T) {
	prefix := t.TempDir()
	for _, installed := range []string{"lib/python3.13/site-packages/mypy", "lib/node_modules/typescript", "lib/node_modules/@scope/tool", "go/bin"} {
		path := filepath.Join(prefix, installed)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Dir(path), old, old); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		changed := slices.ContainsFunc(installFolders(prefix), func(folder string) bool {
			info, err := os.Stat(folder)
			return err == nil && folder == filepath.Dir(path) && info.ModTime().After(old)
		})
		if !changed {
			t.Errorf("replacing %s goes unnoticed in %q", installed, installFolders(prefix))
		}
	}
}

// TestTheStateOfTheHostGetsOld: a runner that lives for long looks again.
func TestTheStateOfTheHostGetsOld(t *testing.T) {
	r := New(Config{Indexes: digest.NewIndexes()})
	index := digest.NewIndex(digest.BLAKE3)
	r.host = hostSeen{state: "of this moment", when: time.Now().Add(time.Hour)}
	if got := r.hostState(index); got != "of this moment" {
		t.Errorf("looked again: %s", got)
	}
	r.host.when = time.Now().Add(-2 * hostFresh)
	if got := r.hostState(index); got != packageState(index) {
		t.Errorf("went by what was seen long ago: %s", got)
	}
}
