package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// pruneStorm is runs and prunes at once on one store.
type pruneStorm struct {
	t      *testing.T
	larder string
	store  string
	hits   atomic.Int64
	pruned atomic.Int64
}

func (s *pruneStorm) command(folder string, args ...string) (string, error) {
	command := exec.Command(s.larder, args...)
	command.Dir = folder
	command.Env = append(os.Environ(), "LARDER_STORE="+s.store, "LARDER_BACKGROUND=off", noRaceVariable)
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said.String())
	}
	return string(out), err
}

// work runs one of a few actions, most of which somebody has run before, and
// checks its answer: outputs, what it prints, and a cache that may be gone but
// never wrong.
func (s *pruneStorm) work(folder string) {
	n := rand.IntN(6)
	word := fmt.Sprintf("word %d", n)
	write(s.t, filepath.Join(folder, "in", "a"), word)
	write(s.t, filepath.Join(folder, "in", "b"), strings.Repeat(word, 1000))
	out, err := s.command(folder, "run", "-i", "in", "-o", "out", "--json", "record", "--mutable", "m=m,scope=global", "--",
		"sh", "-c", `test ! -e m/one || cmp m/one m/two; cp in/a m/one; cp in/a m/two; mkdir -p out/d; cp in/a in/b out/d; cat in/a`)
	if err != nil || strings.TrimSpace(out) != word {
		s.t.Errorf("a run: %v: %q, want %q", err, out, word)
		return
	}
	for file, want := range map[string]string{"out/d/a": word, "out/d/b": strings.Repeat(word, 1000)} {
		if got, err := os.ReadFile(filepath.Join(folder, file)); err != nil || string(got) != want {
			s.t.Errorf("output %s: %v, %d bytes", file, err, len(got))
		}
	}
	if record, err := os.ReadFile(filepath.Join(folder, "record")); err == nil && strings.Contains(string(record), `"cached":"local"`) {
		s.hits.Add(1)
	}
}

// TestRunsAndPrunesAtOnce prunes everything that is not in use, again and again
// and by two at a time, while actions run: none fails, and none gives a wrong
// answer.
func TestRunsAndPrunesAtOnce(t *testing.T) {
	needSandbox(t)
	rounds := 12
	if os.Getenv("LARDER_STRESS") != "" {
		rounds = 500
	}
	s := &pruneStorm{t: t, larder: buildLarder(t), store: filepath.Join(t.TempDir(), "store")}
	var runs, prunes sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		folder := t.TempDir()
		runs.Go(func() {
			for range rounds {
				s.work(folder)
			}
		})
	}
	for range 2 {
		prunes.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				out, err := s.command(filepath.Dir(s.store), "cache", "prune", "--max-size", "0")
				if err != nil {
					t.Errorf("a prune: %v: %s", err, out)
				}
				if strings.Contains(out, "removed ") {
					s.pruned.Add(1)
				}
			}
		})
	}
	runs.Wait()
	close(over)
	prunes.Wait()
	t.Logf("%d runs, %d of them answered from kept results; %d prunes removed something", 4*rounds, s.hits.Load(), s.pruned.Load())
	if s.pruned.Load() == 0 {
		t.Error("no prune removed anything: the test shows nothing")
	}
	if out, err := s.command(s.store, "cache", "verify", "--check-contents"); err != nil {
		t.Errorf("afterwards: %v: %s", err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}
