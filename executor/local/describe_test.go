package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

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
