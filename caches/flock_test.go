package caches_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// Who gives up waiting does not keep the lock that comes too late.
func TestFlockWithin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	holder := open()
	if err := caches.FlockWithin(t.Context(), holder, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	why := errors.New("no patience")
	short, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, why)
	defer cancel()
	if err := caches.FlockWithin(short, open(), unix.LOCK_SH); !errors.Is(err, why) {
		t.Errorf("a wait that ended: %v, want its cause", err)
	}
	next, taken := open(), make(chan error, 1)
	go func() { taken <- caches.FlockWithin(t.Context(), next, unix.LOCK_EX) }()
	holder.Close()
	if err := <-taken; err != nil {
		t.Errorf("after it was released: %v", err)
	}
	next.Close()
	if err := next.Close(); !errors.Is(err, os.ErrClosed) {
		t.Error("the file of a lock that was taken is closed by others")
	}
	if err := caches.FlockWithin(t.Context(), next, unix.LOCK_EX); err == nil {
		t.Error("a closed file was locked")
	}
}
