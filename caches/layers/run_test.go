package layers_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

func newLayout(t testing.TB) caches.Layout {
	t.Helper()
	root := filepath.Join(t.TempDir(), "store")
	t.Cleanup(func() { layertest.RemoveAll(t, root) })
	layout, err := caches.OpenLayout(root)
	check(t, err)
	return layout
}

func empty(t testing.TB, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	check(t, err)
	for _, entry := range entries {
		t.Errorf("%s is left in %s", entry.Name(), filepath.Base(folder))
	}
}

func TestRunCloseRemovesWhateverIsThere(t *testing.T) {
	layout := newLayout(t)
	outside := filepath.Join(t.TempDir(), "outside")
	check(t, os.WriteFile(outside, nil, 0o644))
	run, err := layers.NewRun(layout)
	check(t, err)
	dir, err := run.Dir("x")
	check(t, err)
	shell(t, dir, "mkdir -p a/b/c; echo x >a/b/c/f; chmod 0 a/b/c a/b a; ln -s "+outside+" link; mkfifo p; chmod 0 .")
	check(t, run.Close())
	check(t, run.Close())
	empty(t, layout.Runs())
	empty(t, layout.Temp())
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestRunCloseAfterOverlay(t *testing.T) {
	layertest.NeedOverlay(t)
	b := newBench(t)
	b.overlay(layers.Stack{b.base(start)}, "rm -r d; mkdir x; chmod 0 x")
	check(t, b.run.Close())
	empty(t, b.layout.Runs())
}

func TestSweepLeavesLiveRuns(t *testing.T) {
	layout := newLayout(t)
	live, err := layers.NewRun(layout)
	check(t, err)
	defer live.Close()
	check(t, os.MkdirAll(filepath.Join(layout.Runs(), "run-dead", "x"), 0o755))
	old := filepath.Join(layout.Temp(), "write-old")
	check(t, os.WriteFile(old, nil, 0o600))
	check(t, os.Chtimes(old, time.Now().Add(-48*time.Hour), time.Now().Add(-48*time.Hour)))
	blob := filepath.Join(layout.Temp(), "blob-new") // about to get its name, with the time of its content
	check(t, os.WriteFile(blob, nil, 0o600))
	check(t, os.Chtimes(blob, time.Now(), time.Unix(1e9, 0)))
	check(t, os.WriteFile(filepath.Join(layout.Temp(), "write-new"), nil, 0o600))
	check(t, os.Mkdir(filepath.Join(layout.Temp(), "trash-1"), 0o700))
	swept, err := layers.Sweep(layout)
	check(t, err)
	if swept != (layers.Swept{Runs: 1, Temps: 2}) {
		t.Errorf("swept %+v", swept)
	}
	if _, err := os.Lstat(blob); err != nil {
		t.Errorf("a blob on its way: %v", err)
	}
	if _, err := live.Private("still there"); err != nil {
		t.Error(err)
	}
}

// Runs that start while others sweep keep their folders.
func TestSweepAgainstStartingRuns(t *testing.T) {
	layout := newLayout(t)
	stop := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := layers.Sweep(layout); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 500 {
		run, err := layers.NewRun(layout)
		check(t, err)
		if _, err := run.Private("x"); err != nil {
			t.Error(err)
		}
		check(t, run.Close())
	}
	close(stop)
	sweeper.Wait()
	empty(t, layout.Runs())
}

func TestLocks(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "lock"), context.Background()
	lock, err := layers.Acquire(ctx, path)
	check(t, err)
	if _, err := layers.TryAcquire(path); !errors.Is(err, layers.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := layers.Acquire(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait that was given up: %v", err)
	}
	next := make(chan *layers.Lock)
	go func() {
		lock, err := layers.Acquire(ctx, path)
		if err != nil {
			t.Error(err)
		}
		next <- lock
	}()
	check(t, os.Remove(path)) // the waiter must not be content with a file that is gone
	lock.Close()
	lock = <-next
	defer lock.Close()
	if _, err := layers.TryAcquire(path); !errors.Is(err, layers.ErrLocked) {
		t.Errorf("the new file is not locked: %v", err)
	}
	if _, err := layers.Lease(ctx, path+".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lease on nothing: %v", err)
	}
}

func TestLeasesAreShared(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "manifest"), context.Background()
	check(t, os.WriteFile(path, nil, 0o644))
	one, err := layers.Lease(ctx, path)
	check(t, err)
	two, err := layers.Lease(ctx, path)
	check(t, err)
	one.Close()
	if _, err := layers.TryAcquire(path); !errors.Is(err, layers.ErrLocked) {
		t.Errorf("a lease does not protect: %v", err)
	}
	two.Close()
	lock, err := layers.TryAcquire(path)
	check(t, err)
	lock.Close()
}

// Whoever may, runs the tests that need an ordinary user as one too.
func TestRemoveAsOrdinaryUser(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root is never refused; run as an ordinary user")
	}
	dir := filepath.Join(t.TempDir(), "x")
	check(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	check(t, syscall.Chmod(filepath.Join(dir, "a"), 0))
	check(t, layers.RemoveTree(dir))
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
