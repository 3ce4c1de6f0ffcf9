package caches

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// again opens the same store as another process would.
func again(t testing.TB, layout Layout) Layout {
	t.Helper()
	other, err := OpenLayout(layout.Root())
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// old makes a file in the store that was last used at that time.
func old(t testing.TB, layout Layout, name string, used time.Time) string {
	t.Helper()
	path := filepath.Join(layout.CAS(), name)
	if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, used, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	return path
}

func lastUsed(t testing.TB, path string) time.Time {
	t.Helper()
	used, err := LastUsed(path)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func nextEpoch(t testing.TB, layout Layout) time.Time {
	t.Helper()
	unused, err := layout.NextEpoch()
	if err != nil {
		t.Fatal(err)
	}
	return unused
}

func TestWhatALiveProcessUsedIsInUse(t *testing.T) {
	run := open(t)
	cleaner := again(t, run)
	cleaner.Leave()
	lastWeek := time.Now().Add(-7 * 24 * time.Hour)
	used, unused := old(t, run, "used", lastWeek), old(t, run, "unused", lastWeek)
	nextEpoch(t, cleaner)
	if size, err := run.Hold(used); err != nil || size != 4 {
		t.Fatalf("hold: %d, %v", size, err)
	}
	if info, err := os.Stat(used); err != nil || !info.ModTime().Equal(time.Unix(1e9, 0)) {
		t.Errorf("the note changed the modification time: %v, %v", info.ModTime(), err)
	}
	for range 3 { // the epoch of the run is held, however many follow
		before := nextEpoch(t, cleaner)
		if lastUsed(t, used).Before(before) {
			t.Fatal("what a live process uses counts as unused")
		}
		if !lastUsed(t, unused).Before(before) {
			t.Fatal("what nobody uses counts as used")
		}
	}
	run.Leave()
	time.Sleep(10 * time.Millisecond) // the clock of the kernel's time stamps ticks slowly
	if before := nextEpoch(t, cleaner); !lastUsed(t, used).Before(before) {
		t.Error("it counts as used although its process has left")
	}
	if left, _ := filepath.Glob(filepath.Join(run.Uses(), "epoch-*")); len(left) > 0 {
		t.Errorf("epochs that nobody holds are left: %v", left)
	}
}

// TestWhoLivesForLongHoldsOnlyWhatItUsesNow: else nothing could be cleaned beside it.
func TestWhoLivesForLongHoldsOnlyWhatItUsesNow(t *testing.T) {
	run := open(t)
	cleaner := again(t, run)
	cleaner.Leave()
	path := old(t, run, "file", time.Now().Add(-7*24*time.Hour))
	if _, err := run.Hold(path); err != nil {
		t.Fatal(err)
	}
	if before := nextEpoch(t, cleaner); lastUsed(t, path).Before(before) {
		t.Fatal("what a live process uses counts as unused")
	}
	run.Renew()
	time.Sleep(10 * time.Millisecond) // the clock of the kernel's time stamps ticks slowly
	if before := nextEpoch(t, cleaner); !lastUsed(t, path).Before(before) {
		t.Error("it counts as used although nobody uses it any more")
	}
	if _, err := run.Hold(path); err != nil {
		t.Fatal(err)
	}
	if before := nextEpoch(t, cleaner); lastUsed(t, path).Before(before) {
		t.Error("what it uses since then counts as unused")
	}
	run.Leave()
	run.Renew()
	if run.use.epoch != nil {
		t.Error("who has left came back")
	}
}

func TestHoldingWhatIsNotThere(t *testing.T) {
	layout := open(t)
	if _, err := layout.Hold(filepath.Join(layout.CAS(), "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want that it is not there", err)
	}
}

func TestNotesAreRenewedOnceAnHour(t *testing.T) {
	layout := open(t)
	for age, renewed := range map[time.Duration]bool{time.Minute: true, 30 * time.Minute: true, 2 * time.Hour: true} {
		used := time.Now().Add(-age)
		path := old(t, layout, "file", used)
		if _, err := layout.Hold(path); err != nil {
			t.Fatal(err)
		}
		if got := !lastUsed(t, path).Equal(used); got != renewed {
			t.Errorf("used %s ago, before the epoch: renewed %v", age, got)
		}
	}
	// In an epoch that began long ago only old notes are renewed.
	layout.use.since = time.Now().Add(-24 * time.Hour)
	for age, renewed := range map[time.Duration]bool{time.Minute: false, 30 * time.Minute: false, 2 * time.Hour: true} {
		used := time.Now().Add(-age)
		path := old(t, layout, "file", used)
		if _, err := layout.Hold(path); err != nil {
			t.Fatal(err)
		}
		if got := lastUsed(t, path).Sub(used) > time.Second; got != renewed {
			t.Errorf("used %s ago: renewed %v", age, got)
		}
	}
}

func TestAClockThatIsSetBackFreesNothing(t *testing.T) {
	layout := open(t)
	layout.use.since = time.Now().Add(time.Hour)
	path := old(t, layout, "file", time.Now())
	if _, err := layout.Hold(path); err != nil {
		t.Fatal(err)
	}
	if lastUsed(t, path).Before(layout.use.since) {
		t.Error("the note is older than the epoch")
	}
}

func TestWhoCannotNoteHoldsAll(t *testing.T) {
	layout := open(t)
	cleaner := again(t, layout)
	cleaner.Leave()
	path := old(t, layout, "file", time.Unix(1e9, 0))
	layout.holdAll()
	if before := nextEpoch(t, cleaner); lastUsed(t, path).Before(before) {
		t.Error("a file counts as unused although somebody holds all")
	}
	layout.Leave()
	if before := nextEpoch(t, cleaner); !lastUsed(t, path).Before(before) {
		t.Error("a file counts as used although nobody holds all any more")
	}
}

func TestReapDoesNotWaitForAStoppedHolder(t *testing.T) {
	layout := open(t)
	gate, err := layout.share(gateFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := layout.Reap(func() error { t.Error("it worked behind a closed gate"); return nil }); !errors.Is(err, ErrBusy) {
		t.Errorf("%v; want that the store is busy", err)
	}
	gate.Close()
	done := false
	if err := layout.Reap(func() error { done = true; return nil }); err != nil || !done {
		t.Errorf("with the gate free: %v, %v", done, err)
	}
}

func TestLocksAreReadableByAllWhateverTheUmask(t *testing.T) {
	before := unix.Umask(0o077)
	defer unix.Umask(before)
	layout := open(t)
	if err := layout.Reap(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{epochFile, gateFile} {
		if info, err := os.Stat(filepath.Join(layout.Uses(), name)); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestNothingGoesWhileItIsUsed lets runs look files up, or make them, and look
// again later, while cleaners take away all that nobody uses.
func TestNothingGoesWhileItIsUsed(t *testing.T) {
	layout := open(t)
	layout.Leave()
	stop := make(chan struct{})
	var runs, cleaners sync.WaitGroup
	var removed, found int
	deadline := time.Now().Add(30 * time.Second)
	var count sync.Mutex
	for range 2 {
		cleaners.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := clean(t, layout)
				count.Lock()
				removed += n
				count.Unlock()
			}
		})
	}
	for range 4 {
		runs.Go(func() {
			for enough := false; !enough; {
				n := useSome(t, layout)
				count.Lock()
				found += n
				enough = removed > 500 && found > 500 || time.Now().After(deadline)
				count.Unlock()
			}
		})
	}
	runs.Wait()
	close(stop)
	cleaners.Wait()
	if removed < 500 || found < 500 {
		t.Errorf("%d files were removed and %d found again: the test shows nothing", removed, found)
	}
}

// useSome is a run: what it looks up once must be there until it ends.
func useSome(t *testing.T, shared Layout) (found int) {
	layout := again(t, shared)
	defer layout.Leave()
	var used []string
	for range 5 {
		path := filepath.Join(layout.CAS(), fmt.Sprint("file", rand.IntN(300)))
		if _, err := layout.Hold(path); err == nil {
			found++
		} else if !make1(t, layout, path) {
			return found
		}
		used = append(used, path)
	}
	for _, path := range used {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("a file that is in use: %v", err)
		}
	}
	return found
}

// make1 puts a file into its place as blobs are put there.
func make1(t *testing.T, layout Layout, path string) bool {
	temp, err := os.CreateTemp(layout.Temp(), "*")
	if err != nil {
		t.Error(err)
		return false
	}
	temp.Close()
	if err := os.Chtimes(temp.Name(), layout.Now(), time.Unix(1e9, 0)); err != nil {
		t.Error(err)
	}
	if err := Settle(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		os.Remove(temp.Name())
		if _, err := layout.Hold(path); err != nil {
			return make1(t, layout, path) // taken away between the two
		}
	} else if err != nil {
		t.Error(err)
	}
	return true
}

// clean takes away all that nobody uses, with a moment between the decision and
// the deed.
func clean(t *testing.T, shared Layout) (removed int) {
	unused := nextEpoch(t, Layout{root: shared.root})
	paths, _ := filepath.Glob(filepath.Join(shared.CAS(), "*"))
	for _, path := range paths {
		err := shared.Reap(func() error {
			used, err := LastUsed(path)
			if err != nil || !used.Before(unused) {
				return ignoreMissing(err)
			}
			removed++
			return ignoreMissing(os.Remove(path))
		})
		if err != nil && !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	return removed
}

// hog holds the exclusive lock on a file of the use folder until the test ends,
// as a process does that was stopped in that moment.
func hog(t *testing.T, layout Layout, name string) {
	file, err := layout.openUse(name)
	if err == nil {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
}

func TestAGateThatIsStuckHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	layout := open(t)
	hog(t, layout, gateFile)
	began := time.Now()
	for _, name := range []string{"one", "two", "three"} {
		path := old(t, layout, name, time.Unix(1e9, 0))
		if _, err := layout.Hold(path); err != nil || lastUsed(t, path).Before(layout.use.since) {
			t.Errorf("%s: %v, used %v; want a note", name, err, lastUsed(t, path))
		}
	}
	if waited := time.Since(began); waited < usePatience || waited > 2*usePatience {
		t.Errorf("three notes took %v; want one wait of %v", waited, usePatience)
	}
}

func TestAnEpochThatIsStuckIsEnded(t *testing.T) {
	t.Parallel()
	layout := open(t)
	layout.Leave()
	hog(t, layout, epochFile)
	next := again(t, layout)
	path := old(t, layout, "file", time.Unix(1e9, 0))
	if _, err := next.Hold(path); err != nil {
		t.Fatal(err)
	}
	cleaner := again(t, layout)
	cleaner.Leave()
	if before := nextEpoch(t, cleaner); lastUsed(t, path).Before(before) {
		t.Error("what a process uses that came past a stuck epoch counts as unused")
	}
}
