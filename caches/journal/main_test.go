package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder/caches"
)

// childVariable tells the test binary to be a process that writes a journal:
// "ROOT TIMES".
const childVariable = "LARDER_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

// child counts and logs so many times, without end for 0.
func child(text string) int {
	var root string
	var times int
	if _, err := fmt.Sscan(text, &times, &root); err != nil {
		return 1
	}
	layout, err := caches.OpenLayout(root)
	if err != nil {
		return 1
	}
	j := Open(layout)
	for n := 0; times == 0 || n < times; n++ {
		j.Count(ResultsSubject("test"), Counts{Hits: 1, Misses: 2})
		j.Log("test", "n", n, "text", string(make([]byte, n%97)))
		if times == 0 && n == 10 {
			fmt.Println("going")
		}
	}
	if err := j.Problem(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func childCommand(layout caches.Layout, times int) *exec.Cmd {
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childVariable, times, layout.Root()))
	return command
}

func newJournal(t testing.TB) (*Journal, caches.Layout) {
	t.Helper()
	layout, err := caches.OpenLayout(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	j := Open(layout)
	t.Cleanup(j.Close)
	return j, layout
}

// lines reads the whole log; each line must be an event.
func lines(t testing.TB, follower *Follower) (events []map[string]any) {
	t.Helper()
	err := follower.Next(func(line []byte) error {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		events = append(events, event)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// counts is the tally of the subject of the children.
func counts(t testing.TB, j *Journal) Counts {
	t.Helper()
	tallies, err := j.Tallies()
	if err != nil {
		t.Fatal(err)
	}
	for _, tally := range tallies {
		if tally.Subject == ResultsSubject("test") {
			return tally.Counts
		}
	}
	return nil
}

func TestProcessesCountAndLogExactly(t *testing.T) {
	j, layout := newJournal(t)
	const processes, times = 16, 100
	var wait sync.WaitGroup
	for range processes {
		command := childCommand(layout, times)
		wait.Go(func() {
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	if got := counts(t, j); got[Hits] != processes*times || got[Misses] != 2*processes*times {
		t.Errorf("counted %v, want %d hits and twice the misses", got, processes*times)
	}
	seen := map[string]bool{}
	for _, event := range lines(t, j.Follow(time.Time{})) {
		if event["event"] != "test" {
			t.Errorf("a line of another kind: %v", event)
		}
		seen[fmt.Sprint(event["pid"], " ", event["n"])] = true
	}
	if len(seen) != processes*times {
		t.Errorf("%d different lines, want %d", len(seen), processes*times)
	}
}

// A process that is killed has counted both or none, and leaves no lock.
func TestKilledWhileCounting(t *testing.T) {
	j, layout := newJournal(t)
	last := int64(0)
	for n := range 20 {
		command := childCommand(layout, 0)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 16))
		command.Process.Signal(syscall.SIGKILL)
		var exit *exec.ExitError
		if err := command.Wait(); !errors.As(err, &exit) {
			t.Fatalf("a killed child: %v", err)
		}
		got := counts(t, j)
		if got[Hits] < last+10 || got[Misses] != 2*got[Hits] {
			t.Fatalf("after kill %d: %v, before %d hits", n, got, last)
		}
		last = got[Hits]
	}
	j.Count(ResultsSubject("test"), Counts{Hits: 1})
	if got := counts(t, j)[Hits]; got != last+1 {
		t.Errorf("%d hits after one more than %d", got, last)
	}
	for i, event := range lines(t, j.Follow(time.Time{})) {
		if _, err := strconv.Atoi(fmt.Sprint(event["n"])); err != nil {
			t.Errorf("line %d: %v", i, event)
		}
	}
}
