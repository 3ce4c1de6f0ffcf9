package local

import (
	"os"
	"testing"

	"larder/digest"
	"larder/executor/action"
	"larder/sandbox"
)

func TestASandboxMadeEarlyIsUsedOnce(t *testing.T) {
	if err := sandbox.Probe().Namespaces; err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	e := &early{view: sandbox.SystemView}
	e.begin()
	for n := range 2 {
		if status, err := e.run(t.Context(), sandbox.Config{Args: []string{"true"}}); err != nil || status.ExitCode != 0 {
			t.Fatalf("run %d: %+v, %v", n, status, err)
		}
	}
	if e.take() != nil {
		t.Error("it is still there")
	}
	e.drop()
}

func TestASandboxThatIsNotWantedIsDropped(t *testing.T) {
	e := &early{view: sandbox.SystemView}
	e.drop() // nothing was begun
	e.begin()
	e.drop()
	if e.take() != nil {
		t.Error("it is still there")
	}
}

// Without an index that is kept the state of the host, which is part of a key, could
// be younger than a sandbox that waited.
func TestSandboxesWaitBesideAnIndexOnly(t *testing.T) {
	alone, shared := &action.Action{}, &action.Action{Network: action.NetworkHost}
	if New(Config{Ahead: 2}).ready.of(alone) != nil || New(Config{Indexes: digest.NewIndexes()}).ready.of(alone) != nil {
		t.Error("there is a pool that nobody asked for")
	}
	r := New(Config{Ahead: 2, Indexes: digest.NewIndexes()})
	defer r.Close()
	if pool := r.ready.of(alone); pool == nil || pool != r.ready.of(alone) || pool == r.ready.of(shared) {
		t.Error("each kind of sandbox has a pool of its own")
	}
}
