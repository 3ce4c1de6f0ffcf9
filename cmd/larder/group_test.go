package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder/digest"
	"larder/executor/action"
)

// The users and the group of these tests need no names.
const (
	alice, bob = 1001, 1002
	group      = 2000
)

// club is a store and its users, each with a root of its own and the umask 077.
type club struct {
	t      *testing.T
	place  string
	store  string
	larder string
}

// newClub shares a store as an administrator does. It takes root to be several
// users.
func newClub(t *testing.T) club {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be several users")
	}
	needSandbox(t)
	place, err := os.MkdirTemp("", "larder-club-*")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(place)) })
	c := club{t, place, filepath.Join(place, "store"), filepath.Join(place, "larder")}
	program, err := os.Executable()
	check(t, err)
	data, err := os.ReadFile(program)
	check(t, errors.Join(err, os.Chmod(place, 0o755), os.WriteFile(c.larder, data, 0o755), os.Mkdir(c.store, 0o700),
		os.Chown(c.store, 0, group), os.Chmod(c.store, 0o770|fs.ModeSetgid|fs.ModeSticky)))
	for _, user := range []int{alice, bob} {
		check(t, errors.Join(os.MkdirAll(filepath.Join(c.root(user), "src"), 0o755),
			os.WriteFile(filepath.Join(c.root(user), "src", "in"), []byte("input\n"), 0o644)))
		for _, path := range []string{"", "src", "src/in"} {
			check(t, os.Chown(filepath.Join(c.root(user), path), user, user))
		}
	}
	return c
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c club) root(user int) string { return filepath.Join(c.place, fmt.Sprint(user)) }

// as makes a command of a user, who is in the group beside another one.
func (c club) as(user int, args ...string) *exec.Cmd {
	command := exec.Command("/bin/sh", append([]string{"-c", `umask 077; exec "$@"`, "sh"}, args...)...)
	command.Dir = c.root(user)
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + c.root(user), "LARDER_STORE=" + c.store, "LARDER_BACKGROUND=off", "TMPDIR=" + os.TempDir(), "GORACE=" + noRaceSleep}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user), Groups: []uint32{group}}}
	return command
}

// run runs a script with both kinds of caches and returns what it said, the record,
// and what larder itself said.
func (c club) run(user int, script string) (said string, result action.Result, warned string) {
	c.t.Helper()
	record := filepath.Join(c.root(user), "record.json")
	command := c.as(user, c.larder, "run", "--json", record, "-i", "src", "-o", "out",
		"--mutable", "m=m,scope=global,lock=true", "--append-only", "a=a", "--", "sh", "-c", script)
	var warnings bytes.Buffer
	command.Stderr = &warnings
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("as %d: %v: %s", user, err, warnings.String())
	}
	data, err := os.ReadFile(record)
	check(c.t, errors.Join(err, json.Unmarshal(data, &result)))
	return string(out), result, warnings.String()
}

func outcomes(result action.Result) string {
	var list []string
	for _, cache := range result.Caches {
		list = append(list, cache.Name+" "+cache.Outcome)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// made is a script that fills both caches and changes an input.
const made = `umask 077; echo one >m/x; mkdir m/d; echo one >m/d/y; echo one >a/one; echo more >>src/in; touch src/new; cat src/in >out`

// TestAGroupSharesAStore: results and caches of one user serve the other, who
// publishes on top of them, and back again.
func TestAGroupSharesAStore(t *testing.T) {
	c := newClub(t)
	for i, step := range []struct {
		user                          int
		script, said, cached, outcome string
	}{
		{alice, made, "", "no", "a published, m published"},
		{bob, made, "", "local", ""},
		{bob, `cat m/x m/d/y a/one; echo two >m/x; echo two >>m/d/y; touch m/d/z; echo two >a/two; echo more >>src/in; cat src/in >out`,
			"one\none\none\n", "no", "a published, m published"},
		{bob, `cat m/x m/d/y a/two; rm -r m/d; mkdir m/d; touch out`, "two\none\ntwo\ntwo\n", "no", "a unchanged, m published"},
		{alice, `cat m/x a/one a/two; ls m/d; echo three >m/x; echo three >a/three; echo more >>src/in; cat src/in >out`,
			"two\none\ntwo\n", "no", "a published, m published"},
		{bob, `cat m/x a/one a/two a/three; touch out`, "three\none\ntwo\nthree\n", "no", "a unchanged, m unchanged"},
	} {
		said, result, warned := c.run(step.user, step.script)
		if said != step.said || result.Cached != step.cached || outcomes(result) != step.outcome || warned != "" {
			t.Errorf("step %d said %q, cached %s, %s, %s", i, said, result.Cached, outcomes(result), warned)
		}
	}
	for _, verb := range []string{"list", "du", "prune"} {
		if out, err := c.as(bob, c.larder, "cache", verb).CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
			t.Errorf("cache %s: %v: %s", verb, err, out)
		}
	}
	out, err := os.ReadFile(filepath.Join(c.root(bob), "out"))
	info, statErr := os.Stat(filepath.Join(c.root(bob), "out"))
	if err != nil || statErr != nil || len(out) != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the output of the last run: %q, %v; want it empty, with the umask of its user", out, info.Mode())
	}
}

// TestAppendOnlyOfAnotherUser: the rules hold, whoever published first.
func TestAppendOnlyOfAnotherUser(t *testing.T) {
	c := newClub(t)
	c.run(alice, made)
	_, result, warned := c.run(bob, `echo other >a/one; rm -r m/d; touch out`)
	if n := strings.Count(warned, "\n"); n != 1 || !strings.Contains(warned, "one was modified") || outcomes(result) != "a unchanged, m published" {
		t.Errorf("%s: %s", outcomes(result), warned)
	}
	if said, _, _ := c.run(alice, `cat a/one; touch out`); said != "one\n" {
		t.Errorf("the cache holds %q", said)
	}
}

// TestLocksHoldBetweenUsers: each of two users adds to a counter, one at a time.
func TestLocksHoldBetweenUsers(t *testing.T) {
	c := newClub(t)
	c.run(alice, `echo 0 >m/n; touch out`)
	const each = 4
	var users sync.WaitGroup
	for _, user := range []int{alice, bob} {
		users.Go(func() {
			for i := range each {
				script := fmt.Sprintf(`n=$(cat m/n); sleep 0.05; echo $((n+1)) >m/n; touch out # %d of %d`, i, user)
				command := c.as(user, c.larder, "run", "-o", "out", "--mutable", "m=m,scope=global,lock=true", "--", "sh", "-c", script)
				if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("as %d: %v: %s", user, err, out)
				}
			}
		})
	}
	users.Wait()
	if said, _, _ := c.run(alice, `cat m/n; touch out`); said != fmt.Sprintln(2*each) {
		t.Errorf("the counter is at %q", said)
	}
}

// published lists every file of a user in the store with its mode and content.
func (c club) published(user int) map[string]string {
	c.t.Helper()
	files := map[string]string{}
	check(c.t, filepath.WalkDir(c.store, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != user {
			return err
		}
		files[path] = info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			files[path] += " " + string(data)
			return err
		}
		return nil
	}))
	return files
}

// TestNobodyChangesWhatAnotherPublished: another member tries every way on every
// blob, layer and manifest. Heads and records of results are names, which any
// user gives to what is newer.
func TestNobodyChangesWhatAnotherPublished(t *testing.T) {
	c := newClub(t)
	c.run(alice, made)
	before, tried := c.published(alice), 0
	for path := range before {
		part, _, _ := strings.Cut(strings.TrimPrefix(path, c.store+"/"), "/")
		isName := !strings.Contains(path, "/generations/") && part == "named-v1"
		if isName || slices.Contains([]string{"results-v1", "log-v1", "tally-v1", "use-v1"}, part) {
			continue
		}
		for _, attempt := range []string{
			`! test -f "$1" || echo x >>"$1"`, `! test -f "$1" || truncate -s 0 "$1"`, `chmod 777 "$1"`, `touch -d 2001-01-01 "$1"`,
			`mv "$1" "$1.away"`, `mv "$1" "$LARDER_STORE/use-v1/away"`, `rm -r "$1"`, `touch mine; mv -f -T mine "$1"`, `mkdir -p own; mv -T own "$1"`,
			`! test -f "$1" || ln -f "$1" "$LARDER_STORE/use-v1/link"`,
			`case "$1" in */layers-v1/*/*|*/empty) touch "$1/planted" ;; esac`,
		} {
			tried++
			_ = c.as(bob, "sh", "-c", attempt, "sh", path).Run() // some say nothing, so look
		}
	}
	if tried < 100 {
		t.Errorf("only %d attempts", tried)
	}
	after := c.published(alice)
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s was %.60q and is %.60q", path, content, after[path])
		}
	}
	for path := range c.published(bob) {
		t.Errorf("%s was planted", path)
	}
	if said, result, warned := c.run(bob, `cat m/x m/d/y a/one; ls src; touch out`); said != "one\none\none\nin\n" || warned != "" {
		t.Errorf("afterwards: %q, %s, %s", said, outcomes(result), warned)
	}
}

// TestAPlantedBlobIsNotBelieved: a blob of another user is checked before a
// process sees it.
func TestAPlantedBlobIsNotBelieved(t *testing.T) {
	c := newClub(t)
	c.run(alice, `cat src/in >out`)
	right := "right\n"
	d := digest.Of(digest.BLAKE3, []byte(right))
	plant := c.as(bob, "sh", "-c", `umask 022; mkdir -p "${1%/*}" && printf 'wrong\n' >"$1"`, "sh",
		filepath.Join(c.store, "cas-v1", "blake3", d.Hash()[:2], d.Hash()))
	if out, err := plant.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check(t, os.WriteFile(filepath.Join(c.root(alice), "src", "in"), []byte(right), 0o644))
	if said, _, warned := c.run(alice, `cat src/in; touch out`); said != right || warned != "" {
		t.Errorf("%q, %s", said, warned)
	}
}

// TestThePrivateStoreOfAnotherUserIsRefused names the owner and the way out.
func TestThePrivateStoreOfAnotherUserIsRefused(t *testing.T) {
	c := newClub(t)
	check(t, os.Chmod(c.store, 0o755))
	for _, args := range [][]string{{"run", "--", "true"}, {"cache", "list"}} {
		out, err := c.as(alice, append([]string{c.larder}, args...)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != codeFailed || !strings.Contains(string(out), "belongs to the user with the id 0 and is not shared; name another store") {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}

// TestEachUserOfAGroupCleansByItself: nobody can remove what others have put into
// the store, nor set the time of a file of theirs.
func TestEachUserOfAGroupCleansByItself(t *testing.T) {
	c := newClub(t)
	large := func(user int) string {
		return fmt.Sprintf("head -c 3000000 /dev/zero | tr '\\0' %d >out", user%10)
	}
	stamp := func(user int) string { return filepath.Join(c.store, "use-v1", fmt.Sprint("cleaned-", user)) }
	tend := func(user int) {
		t.Helper()
		if out, err := c.as(user, c.larder, "cache", "tend", "--pause", "0s", "--max-size", "1M").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("as %d: %v: %s", user, err, out)
		}
	}
	for _, user := range []int{alice, bob} {
		c.run(user, large(user))
		tend(user) // the first look is in an hour
		past := time.Now().Add(-2 * time.Hour)
		check(t, os.Chtimes(stamp(user), past, past))
	}
	for _, user := range []int{alice, bob} {
		tend(user)
		if info, err := os.Stat(stamp(user)); err != nil || time.Since(info.ModTime()) > time.Hour {
			t.Errorf("%d has not cleaned: %v", user, err)
		}
		if _, result, _ := c.run(user, large(user)); result.Cached != "no" {
			t.Errorf("what %d has made is still there", user)
		}
	}
	if out, err := c.as(alice, c.larder, "cache", "logs").CombinedOutput(); err != nil || strings.Contains(string(out), "not permitted") {
		t.Errorf("the log: %v: %s", err, out)
	}
}
