package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inPlace are the files of a store that its users change in place, or read.
func (c club) inPlace() (files []string) {
	for _, pattern := range []string{"named-v1/*/lock", "named-v1/*/use", "named-v1/*/head", "named-v1/*/ref.json", "tally-v1/*", "log-v1/*", "results-v1/*/*"} {
		found, _ := filepath.Glob(filepath.Join(c.store, pattern))
		files = append(files, found...)
	}
	return slices.DeleteFunc(files, func(path string) bool {
		info, err := os.Lstat(path)
		return err == nil && info.IsDir()
	})
}

// TestAMemberOfTheGroupPlantsLinksAndFIFOs: whoever is in the group may swap the
// files that all swap. A link there must not make larder open a file of another
// user to the group or write to it, and a FIFO must not hold a run up.
func TestAMemberOfTheGroupPlantsLinksAndFIFOs(t *testing.T) {
	for name, plant := range map[string]func(path, secret string) error{
		"links":  func(path, secret string) error { return os.Symlink(secret, path) },
		"linked": func(path, secret string) error { return os.Link(secret, path) },
		"fifos": func(path, _ string) error {
			return errors.Join(syscall.Mkfifo(path, 0o666), os.Chmod(path, 0o666), os.Chown(path, bob, group))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClub(t)
			c.run(bob, made) // so that the folders are bob's
			secret := filepath.Join(c.root(alice), "secret")
			check(t, errors.Join(os.WriteFile(secret, []byte("secret\n"), 0o600), os.Chown(secret, alice, alice)))
			files := c.inPlace()
			if len(files) < 5 {
				t.Fatalf("the store has only %q", files)
			}
			for _, path := range files {
				check(t, errors.Join(os.Remove(path), plant(path, secret)))
			}
			command := c.as(alice, "timeout", "60", c.larder, "run", "-i", "src", "--mutable", "m=m,scope=global", "--append-only", "a=a",
				"--", "sh", "-c", "echo ran; echo new >m/new")
			began := time.Now()
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "ran\n") || time.Since(began) > 30*time.Second {
				t.Errorf("alice's run: %v after %v: %s", err, time.Since(began), out)
			}
			data, err := os.ReadFile(secret)
			info, statErr := os.Stat(secret)
			check(t, errors.Join(err, statErr))
			if stat := info.Sys().(*syscall.Stat_t); string(data) != "secret\n" || info.Mode() != 0o600 || stat.Gid != alice {
				t.Errorf("alice's file is now %q, %v, of the group %d", data, info.Mode(), stat.Gid)
			}
		})
	}
}

// TestALiveCacheOfAnotherUserIsRefused: the directory of a live cache is bound as
// it is, so a link in its place would hand a folder of one's own to actions.
func TestALiveCacheOfAnotherUserIsRefused(t *testing.T) {
	c := newClub(t)
	live := []string{"run", "--no-cache", "--mutable", "l=l,scope=global,share=live", "--", "sh", "-c", "touch l/touched"}
	out, err := c.as(bob, append([]string{c.larder}, live...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shared, _ := filepath.Glob(filepath.Join(c.store, "named-v1/*/live/shared"))
	if len(shared) != 1 {
		t.Fatalf("live caches: %q", shared)
	}
	private := filepath.Join(c.root(alice), "private")
	check(t, errors.Join(os.Mkdir(private, 0o700), os.Chown(private, alice, alice),
		os.RemoveAll(shared[0]), os.Symlink(private, shared[0]), os.Chmod(filepath.Dir(shared[0]), 0o755)))
	out, err = c.as(alice, append([]string{c.larder}, live...)...).CombinedOutput()
	info, statErr := os.Stat(private)
	check(t, statErr)
	if _, err := os.Lstat(filepath.Join(private, "touched")); !errors.Is(err, fs.ErrNotExist) || info.Mode().Perm() != 0o700 {
		t.Errorf("alice's folder has mode %v, and was written to: %v", info.Mode(), err)
	}
	if text := string(out); !strings.Contains(text, "belongs to another user") {
		t.Errorf("larder said %v: %s", err, text)
	}
}

// TestALiveCacheIsRefusedWhereItCouldBeSwapped: who owns the folder of all caches
// can put another directory in the place of any, at any moment.
func TestALiveCacheIsRefusedWhereItCouldBeSwapped(t *testing.T) {
	live := func(c club, user int) string {
		t.Helper()
		out, err := c.as(user, c.larder, "run", "--no-cache", "--mutable", fmt.Sprintf("l=l,key=%d,share=live", user), "--", "sh", "-c", "echo >l/touched").CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	c := newClub(t)
	if said := live(c, bob); said != "" { // who makes the folders
		t.Errorf("to the owner of the folder larder says %q", said)
	}
	if said := live(c, alice); !strings.Contains(said, fmt.Sprintf("the user with the id %d owns %s/named-v1", bob, c.store)) {
		t.Errorf("to others it says %q", said)
	}
	check(t, os.Chown(filepath.Join(c.store, "named-v1"), 0, group))
	check(t, os.Chmod(filepath.Join(c.store, "named-v1"), 0o775|fs.ModeSticky))
	if said := live(c, alice); said != "" {
		t.Errorf("where it is root's folder larder says %q", said)
	}
	check(t, os.Chmod(filepath.Join(c.store, "named-v1"), 0o775))
	if said := live(c, alice); !strings.Contains(said, "is not sticky") {
		t.Errorf("where everybody may swap larder says %q", said)
	}
}
