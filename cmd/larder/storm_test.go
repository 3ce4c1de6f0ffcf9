package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	word   string // what the input says
}

// deed is one command that changes the store. Prepare, which is not killed,
// makes sure that there is something for it to do; check looks at what a reader
// sees afterwards.
type deed struct {
	name    string
	prepare func(*storm)
	argv    func(*storm) []string
	check   func(*storm)
}

// writeGeneration fills the cache with 50 files that all say the same word, by
// renames, so that a mix of two generations shows.
const writeGeneration = `for i in $(seq 50); do echo %d-%d >m/new; mv m/new m/$i; done`

// readGeneration prints how many files there are and every word in them.
const readGeneration = `ls m | wc -l; cat m/* 2>/dev/null | sort -u`

// TestStormOfKills kills commands that change the store with SIGKILL at
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
				one.check(s)
			}
			s.nothingIsLeft()
		})
	}
}

func deeds() []deed {
	whole := (*storm).readerSeesOneGeneration
	return []deed{
		{"publish", func(*storm) {}, (*storm).publication, whole},
		{"flatten", (*storm).pile, words("cache", "compact"), whole},
		{"prune", (*storm).keepAResult, words("cache", "prune", "--max-size", "1"), (*storm).readerSeesOneGenerationOrNone},
		{"payload", (*storm).changePayload, words("cache", "warm", "--force", "payload"), (*storm).readerSeesThePayload},
	}
}

func (s *storm) publication() []string {
	s.count++
	return []string{"run", "--results", "off", "--mutable", "m=m", "--", "sh", "-c", fmt.Sprintf(writeGeneration, os.Getpid(), s.count)}
}

// words is a command that is the same each time.
func words(argv ...string) func(*storm) []string {
	return func(*storm) []string { return argv }
}

// pile publishes until there is something to flatten.
func (s *storm) pile() {
	for range 7 {
		s.must(s.publication()...)
	}
}

// keepAResult makes everything that prune removes: results, blobs, an input tree
// and generations.
func (s *storm) keepAResult() {
	s.count++
	s.word = fmt.Sprint(s.count)
	s.write("input", s.word)
	s.must("run", "-i", "input", "-o", "made", "--", "cp", "input", "made")
	s.must(s.publication()...)
}

// payloadFiles is how many files the payload has, all with one word in them.
const payloadFiles = 40

func (s *storm) changePayload() {
	s.count++
	for n := range payloadFiles {
		s.write(fmt.Sprintf("payload/%d", n), fmt.Sprintln(s.count))
	}
}

// readerSeesThePayload may read the copy or the original; both are whole.
func (s *storm) readerSeesThePayload() {
	s.t.Helper()
	seen := s.must("run", "--results", "off", "--payload", "payload=p", "--", "sh", "-c", "ls p | wc -l; cat p/* | sort -u")
	if want := []string{fmt.Sprint(payloadFiles), fmt.Sprint(s.count)}; !slices.Equal(strings.Fields(seen), want) {
		s.t.Fatalf("expected %q, got %q", want, seen)
	}
}

func (s *storm) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.place, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		s.t.Fatal(err)
	}
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
	if lines := s.read(); len(lines) != 2 || lines[0] != "50" {
		s.t.Fatalf("expected 50 files with one word in them: %q", lines)
	}
}

func (s *storm) readerSeesOneGenerationOrNone() {
	s.t.Helper()
	if lines := s.read(); len(lines) != 1 || lines[0] != "0" {
		s.readerSeesOneGeneration()
	}
	s.must("run", "-i", "input", "-o", "made", "--", "cp", "input", "made")
	if made, err := os.ReadFile(filepath.Join(s.place, "made")); err != nil || string(made) != s.word {
		s.t.Fatalf("expected %q, got %q, %v", s.word, made, err)
	}
}

func (s *storm) read() []string {
	s.t.Helper()
	return strings.Fields(s.must("run", "--results", "off", "--mutable", "m=m,publish=never", "--", "sh", "-c", readGeneration))
}

// nothingIsLeft prunes once and looks for what the kills may have left.
func (s *storm) nothingIsLeft() {
	s.t.Helper()
	if !eventually(func() bool { return len(processesWith(s.store())) == 0 }) {
		s.t.Errorf("processes or mounts are left: %v", processesWith(s.store()))
	}
	s.must("cache", "prune")
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
