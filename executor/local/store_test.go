package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/caches"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

// TestAStoreIsAllThatARunnerNeeds: nothing of the environment is asked for.
func TestAStoreIsAllThatARunnerNeeds(t *testing.T) {
	root := t.TempDir()
	store, err := OpenStore(filepath.Join(t.TempDir(), "new", "store"), digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	store.Indexes = digest.NewIndexes()
	t.Setenv("PATH", "/nonexistent")
	t.Setenv("HOME", "/nonexistent")
	line := executor.New(store.Inputs(), New(store.Config()), store.Results(), store.Blobs)
	if err := os.WriteFile(filepath.Join(root, "in"), []byte("in\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wanted, err := action.Spec{Argv: []string{"sh", "-c", "cat in >out; echo said"}, Inputs: []string{"in"}, Outputs: []string{"out"}}.Validate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, cached := range []string{"no", ResultsName} {
		var said strings.Builder
		request := executor.Request{Action: wanted, Results: executor.ResultPolicy{Read: true, Write: true}}
		if cached == "no" {
			request.Streams.Stdout = &said // without one, what is printed is only kept
		}
		result, err := line.Run(t.Context(), request)
		if err != nil || result.Status != action.StatusOK || result.Cached != cached || result.DigestFunction != "sha256" {
			t.Fatalf("%+v, %v", result, err)
		}
		if cached == "no" && said.String() != "said\n" {
			t.Errorf("heard %q", said.String())
		}
	}
	index := store.IndexFile(root)
	if _, err := os.Stat(index); err == nil {
		t.Error("the index was saved before it was asked for")
	}
	if err := store.SaveIndexes(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(index); err != nil {
		t.Error(err)
	}
}

func TestStoresThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if store, err := OpenStore(file, digest.BLAKE3); store != nil || err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file is a store: %v, %v", store, err)
	}
	if store, err := OpenStore("/proc/nonexistent/store", digest.BLAKE3); !caches.IsFault(err) && store != nil || err == nil || errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v, %v", store, err)
	}
}
