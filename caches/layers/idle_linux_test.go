package layers_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
)

// furnished is a run folder as a sandbox leaves it.
func furnished(t testing.TB, layout caches.Layout) *layers.Run {
	t.Helper()
	run, err := layers.TakeRun(layout)
	check(t, err)
	for _, name := range []string{layers.BuildPlace, layers.PrivatePlace} {
		_, err := run.Place(name)
		check(t, err)
	}
	for name, mode := range map[string]os.FileMode{
		layers.BuildPlace: 0o755, "private/tmp": 0o777 | os.ModeSticky, "private/home": 0o755,
	} {
		path := filepath.Join(run.Path(), name)
		check(t, os.MkdirAll(path, 0o755))
		check(t, os.Chmod(path, mode))
	}
	return run
}

// leave ends a run and leaves its folder for the next.
func leave(t testing.TB, layout caches.Layout, run *layers.Run) {
	t.Helper()
	run.Park()
	check(t, run.Close())
	check(t, run.Close())
	if _, err := os.Lstat(run.Path()); err == nil {
		t.Errorf("%s is left among the runs", run.Path())
	}
}

func idle(t testing.TB, layout caches.Layout) []string {
	t.Helper()
	entries, err := os.ReadDir(layout.Idle())
	check(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestARunTakesTheFolderThatAnotherLeft(t *testing.T) {
	layout := newLayout(t)
	run := furnished(t, layout)
	build := inodeOf(t, filepath.Join(run.Path(), "build"))
	shell(t, run.Path(), "mkdir -p build/a/b private/tmp/c other; echo x >build/a/b/f; echo x >private/home/.rc; touch private/steps; chmod 0 build/a; touch -d 1990-01-01 build")
	leave(t, layout, run)
	empty(t, layout.Runs())
	next, err := layers.TakeRun(layout)
	check(t, err)
	if left := idle(t, layout); len(left) > 0 {
		t.Errorf("idle beside the run that took it: %v", left)
	}
	place, err := next.Place(layers.BuildPlace)
	check(t, err)
	if inodeOf(t, place) != build {
		t.Error("the workspace was made anew")
	}
	info, err := os.Stat(place)
	check(t, err)
	if time.Since(info.ModTime()) > time.Minute {
		t.Errorf("it has the time %v, which a process gave it", info.ModTime())
	}
	for _, name := range []string{"build", "private/tmp", "private/home"} {
		empty(t, filepath.Join(next.Path(), name))
	}
	if _, err := next.Place(layers.BuildPlace); err == nil {
		t.Error("one place was given twice")
	}
	if swept, err := layers.Sweep(layout); err != nil || swept.Runs != 0 {
		t.Errorf("a sweep took %+v, %v", swept, err)
	}
	check(t, next.Close())
	empty(t, layout.Runs())
}

// oddities are what processes can do to the directories that they have.
func oddities() map[string]func(path string) error {
	flag := func(number int) func(string) error { // of the FS_..._FL
		return func(path string) error {
			dir, err := os.Open(path)
			if err != nil {
				return err
			}
			defer dir.Close()
			flags, err := unix.IoctlGetUint32(int(dir.Fd()), unix.FS_IOC_GETFLAGS)
			if err != nil {
				return err
			}
			return unix.IoctlSetPointerInt(int(dir.Fd()), unix.FS_IOC_SETFLAGS, int(flags)|number)
		}
	}
	return map[string]func(string) error{
		"mode":       func(path string) error { return os.Chmod(path, 0o700) },
		"setgid":     func(path string) error { return os.Chmod(path, 0o755|os.ModeSetgid) },
		"attribute":  func(path string) error { return unix.Setxattr(path, "user.note", []byte("x"), 0) },
		"owner":      func(path string) error { return os.Chown(path, os.Getuid()+1, -1) },
		"group":      func(path string) error { return os.Chown(path, -1, os.Getgid()+1) },
		"no dump":    flag(0x40),
		"no atime":   flag(0x80),
		"link":       func(path string) error { return replace(path, "..") },
		"file":       func(path string) error { return replace(path, "") },
		"many names": crowd,
	}
}

// replace puts a link, or a file, in the place of a directory.
func replace(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if target == "" {
		return os.WriteFile(path, nil, 0o755)
	}
	return os.Symlink(target, path)
}

// crowd makes a directory large, which ext4 never takes back. Other file systems
// do, when the names are gone.
func crowd(path string) error {
	if err := fill(path); err != nil {
		return err
	}
	probe, err := os.MkdirTemp(filepath.Dir(filepath.Dir(path)), "probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(probe)
	if err := errors.Join(fill(probe), clearFolder(probe)); err != nil {
		return err
	}
	info, err := os.Lstat(probe)
	if err == nil && info.Size() <= 4096 {
		return fmt.Errorf("an empty directory has %d bytes again: %w", info.Size(), unix.ENOTSUP)
	}
	return err
}

func fill(folder string) error {
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%0200d", i)), nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func clearFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(folder, entry.Name())))
	}
	return err
}

// What a process did to its directories is not passed on to the next run, whether
// it is found when the folder is left or when it is taken.
func TestAFolderThatIsOddServesNoOther(t *testing.T) {
	for name, change := range oddities() {
		for _, place := range []string{"build", "private/tmp", "private/home"} {
			t.Run(name+" of "+place, func(t *testing.T) {
				layout := newLayout(t)
				run := furnished(t, layout)
				if err := change(filepath.Join(run.Path(), place)); err != nil {
					check(t, run.Close())
					t.Skipf("not to be had here: %v", err)
				}
				leave(t, layout, run)
				if left := idle(t, layout); len(left) > 0 {
					t.Fatalf("left as %v", left)
				}
				run = furnished(t, layout)
				leave(t, layout, run)
				check(t, change(filepath.Join(layout.Idle(), "0", place)))
				next, err := layers.TakeRun(layout)
				check(t, err)
				if entries, err := os.ReadDir(next.Path()); err != nil || len(entries) != 1 {
					t.Errorf("it was taken all the same: %v, %v", entries, err)
				}
				check(t, next.Close())
				empty(t, layout.Runs())
			})
		}
	}
}

func TestAnIdleFolderThatIsALinkIsNotFollowed(t *testing.T) {
	layout, outside := newLayout(t), t.TempDir()
	for _, name := range []string{"lock", "precious"} {
		check(t, os.WriteFile(filepath.Join(outside, name), nil, 0o644))
	}
	check(t, os.Symlink(outside, filepath.Join(layout.Idle(), "0")))
	run, err := layers.TakeRun(layout)
	check(t, err)
	if _, err := os.Lstat(filepath.Join(run.Path(), "precious")); err == nil {
		t.Error("somebody else's folder became that of a run")
	}
	leave(t, layout, run)
	if _, err := os.Lstat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("what a link led to: %v", err)
	}
}

func TestOnlyAFewFoldersAreIdle(t *testing.T) {
	layout := newLayout(t)
	var runs []*layers.Run
	for range 7 {
		runs = append(runs, furnished(t, layout))
	}
	for _, run := range runs {
		leave(t, layout, run)
	}
	if got := idle(t, layout); len(got) != 4 {
		t.Errorf("idle: %v", got)
	}
	empty(t, layout.Runs())
}

// What a crash leaves has no name among the idle ones.
func TestAFolderOfTheDeadIsSwept(t *testing.T) {
	layout := newLayout(t)
	leave(t, layout, furnished(t, layout))
	check(t, os.Rename(filepath.Join(layout.Idle(), "0"), filepath.Join(layout.Runs(), "run-dead")))
	leave(t, layout, furnished(t, layout))
	if swept, err := layers.Sweep(layout); err != nil || swept.Runs != 1 {
		t.Errorf("swept %+v, %v", swept, err)
	}
	empty(t, layout.Runs())
	if got := idle(t, layout); len(got) != 1 {
		t.Errorf("idle after the sweep: %v", got)
	}
}

// No two runs have one folder, whoever sweeps meanwhile.
func TestFoldersGoFromRunToRun(t *testing.T) {
	layout := newLayout(t)
	stop := make(chan struct{})
	var sweeper, users sync.WaitGroup
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
	for range 6 {
		users.Go(func() {
			for range 60 {
				run := furnished(t, layout)
				mine := filepath.Join(run.Path(), "build", "mine")
				if err := os.Mkdir(mine, 0o755); err != nil {
					t.Errorf("the folder is another's too: %v", err)
				}
				if left, err := os.ReadDir(filepath.Dir(mine)); err != nil || len(left) != 1 {
					t.Errorf("in it are %v, %v", left, err)
				}
				leave(t, layout, run)
			}
		})
	}
	users.Wait()
	close(stop)
	sweeper.Wait()
	empty(t, layout.Runs())
	if got := idle(t, layout); len(got) == 0 || len(got) > 4 {
		t.Errorf("idle: %v", got)
	}
}
