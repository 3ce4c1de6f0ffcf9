package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storm kills larder at random moments and looks at the store in between.
type storm struct {
	t      *testing.T
	larder string
	place  string
	count  int
}

// deed is one command that changes the store. Prepare, which is not killed,
// makes sure that there is something for it to do.
type deed struct {
	name    string
	prepare func(*storm)
	argv    func(*storm) []string
}

// writeGeneration fills the cache with 50 files that all say the same word, by
// renames, so that a mix of two generations shows.
const writeGeneration = `for i in $(seq 50); do echo %d-%d >m/new; mv m/new m/$i; done`

// readGeneration prints how many files there are and every word in them.
const readGeneration = `ls m | wc -l; cat m/* 2>/dev/null | sort -u`

// TestStormOfKills kills every command that changes the store with SIGKILL at
// random moments, 200 times each in the long form, and holds the store to its
// promises: readers see whole generations, the next command works without help,
// and one prune later nothing is left behind.
func TestStormOfKills(t *testing.T) {
	needSandbox(t)
	kills := 4
	if os.Getenv("LARDER_STRESS") != "" {
		kills = 200
	}
	for _, one := range deeds() {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
			s.must("run", "--results", "off", "--mutable", "m=m", "--", "sh", "-c", fmt.Sprintf(writeGeneration, 0, 0))
			typical := s.time(one)
			for range kills {
				one.prepare(s)
				s.kill(one, time.Duration(rand.Int64N(int64(typical))))
				s.readerSeesOneGeneration()
			}
			s.nothingIsLeft()
		})
	}
}

func deeds() []deed {
	nothing := func(*storm) {}
	return []deed{
		{"publish", nothing, (*storm).publication},
	}
}

func (s *storm) publication() []string {
	s.count++
	return []string{"run", "--results", "off", "--mutable", "m=m", "--", "sh", "-c", fmt.Sprintf(writeGeneration, os.Getpid(), s.count)}
}

func (s *storm) command(argv ...string) *exec.Cmd {
	command := exec.Command(s.larder, argv...)
	command.Dir = s.place
	command.Env = append(os.Environ(), "LARDER_STORE="+s.store(), "LARDER_BACKGROUND=off")
	return command
}

func (s *storm) store() string { return filepath.Join(s.place, "store") }

// must runs a command that has to succeed, and returns its output.
func (s *storm) must(argv ...string) string {
	s.t.Helper()
	var stderr bytes.Buffer
	command := s.command(argv...)
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		s.t.Fatalf("larder %s: %v\n%s%s", strings.Join(argv, " "), err, output, &stderr)
	}
	return string(output)
}

// time takes the median of three undisturbed runs, and a bit more, so that some
// kills come too late.
func (s *storm) time(one deed) time.Duration {
	var longest time.Duration
	for range 3 {
		one.prepare(s)
		begin := time.Now()
		s.must(one.argv(s)...)
		longest = max(longest, time.Since(begin))
	}
	return longest + longest/10
}

// kill starts a command and kills it after a while, unless it has ended.
func (s *storm) kill(one deed, after time.Duration) {
	s.t.Helper()
	command := s.command(one.argv(s)...)
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(after)
	err := command.Process.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
	_ = command.Wait() // killed, or done: both are what is asked for
}

func (s *storm) readerSeesOneGeneration() {
	s.t.Helper()
	seen := s.must("run", "--results", "off", "--mutable", "m=m,publish=never", "--", "sh", "-c", readGeneration)
	lines := strings.Fields(seen)
	if len(lines) != 2 || lines[0] != "50" {
		s.t.Fatalf("expected 50 files with one word in them: %q", lines)
	}
}

// nothingIsLeft prunes once and looks for what the kills may have left.
func (s *storm) nothingIsLeft() {
	s.t.Helper()
	if !eventually(func() bool { return len(processesWith(s.store())) == 0 }) {
		s.t.Errorf("processes or mounts are left: %v", processesWith(s.store()))
	}
	_ = 0
	for _, folder := range []string{"runs-v1", "tmp-v1"} {
		entries, err := os.ReadDir(filepath.Join(s.store(), folder))
		if err != nil || len(entries) > 0 {
			s.t.Errorf("%s after a prune: %v, %v", folder, entries, err)
		}
	}
	if listed := s.must("cache", "list", "--format", "json"); strings.Contains(listed, "in-use") || strings.Contains(listed, "corrupt") {
		s.t.Errorf("a lease or damage is left: %s", listed)
	}
}
