package local

import (
	"os"
	"testing"

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
