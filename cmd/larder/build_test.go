package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSignalsReachEveryAction: those that run, and those that begin after the end
// was asked for; the first such signal is the one that counts.
func TestSignalsReachEveryAction(t *testing.T) {
	f := newFanOut()
	one, gone := f.add(1), f.add(2)
	f.remove(2)
	f.pass(syscall.SIGUSR1)
	if f.first() != 0 {
		t.Error("SIGUSR1 ends a build")
	}
	f.pass(syscall.SIGTERM)
	f.pass(syscall.SIGINT)
	late := f.add(3)
	for range 20 {
		f.pass(syscall.SIGHUP) // more than one can have waiting
	}
	<-f.stop
	if f.first() != syscall.SIGTERM {
		t.Errorf("the build ended by %v", f.first())
	}
	received := func(from <-chan os.Signal) (all []os.Signal) {
		for len(from) > 0 {
			all = append(all, <-from)
		}
		return all
	}
	if got := received(one); !slices.Equal(got[:3], []os.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT}) {
		t.Errorf("an action that runs got %v", got)
	}
	if got := received(late); got[0] != syscall.SIGTERM {
		t.Errorf("a late action got %v", got)
	}
	if got := received(gone); len(got) > 0 {
		t.Errorf("one that had ended got %v", got)
	}
}

// TestABacklogKeepsEverything: in memory, and beyond what fits there.
func TestABacklogKeepsEverything(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, size := range []int{0, 10, mostBacklog, mostBacklog + 1, 5 * mostBacklog} {
		var b backlog
		want := strings.Repeat("0123456789", size/10)
		for piece := range slices.Chunk([]byte(want), 1000) {
			if n, err := b.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		var got bytes.Buffer
		if err := b.empty(&got); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("%d bytes came back as %d", len(want), got.Len())
		}
		got.Reset()
		if err := b.empty(&got); err != nil || got.Len() != 0 {
			t.Errorf("%d bytes came twice", got.Len())
		}
		if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
