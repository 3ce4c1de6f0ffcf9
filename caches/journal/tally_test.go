package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"larder/caches"
)

func TestTalliesCountUntilTheyAreZeroed(t *testing.T) {
	j, _ := newJournal(t)
	name, err := caches.ParseName("mypy")
	if err != nil {
		t.Fatal(err)
	}
	ref := caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.RepoScope("/src/" + strings.Repeat("é\n", 2000))}
	j.Count(CacheSubject(ref), Counts{Checkouts: 1, Bytes: 1 << 40})
	j.Count(CacheSubject(ref), Counts{Checkouts: 1, Violations: 3})
	j.Count(ResultsSubject("local"), Counts{Hits: 5})
	if err := j.Problem(); err != nil {
		t.Fatal(err)
	}
	tallies, err := j.Tallies()
	if err != nil || len(tallies) != 2 {
		t.Fatalf("%+v, %v", tallies, err)
	}
	want := Counts{Checkouts: 2, Bytes: 1 << 40, Violations: 3}
	if diff := cmp.Diff(want, tallies[0].Counts); diff != "" || tallies[0].ID != ref.ID() {
		t.Errorf("tally of %s (-want +got):\n%s", tallies[0].ID, diff)
	}
	if err := j.Zero(); err != nil {
		t.Fatal(err)
	}
	j.Count(ResultsSubject("local"), Counts{Misses: 1})
	tallies, err = j.Tallies()
	if err != nil || len(tallies) != 2 || len(tallies[0].Counts) != 0 || tallies[1].Counts[Misses] != 1 || tallies[1].Counts[Hits] != 0 {
		t.Errorf("after zeroing: %+v, %v", tallies, err)
	}
	if since := tallies[0].Since; time.Since(since) > time.Minute || since.After(time.Now()) {
		t.Errorf("counts since %v", since)
	}
	j.Forget(CacheSubject(ref))
	j.Forget(CacheSubject(ref))
	if tallies, _ = j.Tallies(); len(tallies) != 1 || tallies[0].Kind != KindResults {
		t.Errorf("after forgetting: %+v", tallies)
	}
}

func TestATornTallyCountsAsNew(t *testing.T) {
	j, layout := newJournal(t)
	subject := ResultsSubject("local")
	j.Count(subject, Counts{Hits: 41})
	path := filepath.Join(layout.Tally(), "results-local")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		torn := bytes.Clone(whole)
		torn[at] ^= 1
		if _, err := parseTally(torn); err == nil && !bytes.Equal(torn, whole) {
			t.Errorf("byte %d of %q may be another", at, whole)
		}
		if _, err := parseTally(whole[:at]); err == nil {
			t.Errorf("%d bytes of %q are enough", at, whole)
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	j.Count(subject, Counts{Hits: 1})
	if tallies, _ := j.Tallies(); len(tallies) != 1 || tallies[0].Counts[Hits] != 1 || j.Problem() != nil {
		t.Errorf("after a torn tally: %+v, %v", tallies, j.Problem())
	}
}

// A process that was removed under waits on a name that means another file.
func TestATallyThatWasRemovedIsBegunAnew(t *testing.T) {
	j, layout := newJournal(t)
	subject := ResultsSubject("local")
	j.Count(subject, Counts{Hits: 1})
	path := filepath.Join(layout.Tally(), "results-local")
	held, err := lockedFile(path, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	counted := make(chan bool)
	go func() {
		j.Count(subject, Counts{Hits: 1})
		close(counted)
	}()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	held.Close()
	<-counted
	if tallies, _ := j.Tallies(); len(tallies) != 1 || tallies[0].Counts[Hits] != 1 || j.Problem() != nil {
		t.Errorf("%+v, %v", tallies, j.Problem())
	}
}

func TestANilJournalDoesNothing(t *testing.T) {
	var j *Journal
	j.Log("event", "a", 1)
	j.Warn("event")
	j.Count(ResultsSubject("local"), Counts{Hits: 1})
	j.Forget(ResultsSubject("local"))
	j.Close()
	if tallies, err := j.Tallies(); tallies != nil || err != nil || j.Problem() != nil {
		t.Errorf("%v, %v, %v", tallies, err, j.Problem())
	}
}

func TestWhatCannotBeWrittenIsAProblemOnce(t *testing.T) {
	j, layout := newJournal(t)
	for _, folder := range []string{layout.Log(), layout.Tally()} {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(folder, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	j.Log("event")
	first := j.Problem()
	j.Count(ResultsSubject("local"), Counts{Hits: 1})
	if first == nil || j.Problem() != first || !strings.Contains(first.Error(), "write the log") {
		t.Errorf("%v, then %v", first, j.Problem())
	}
}

func FuzzParseTally(f *testing.F) {
	line, err := formatTally(Tally{ResultsSubject("x"), time.Unix(1, 0).UTC(), Counts{Hits: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("1 00000000 \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tally, err := parseTally(data)
		if err == nil && tally.Counts == nil {
			t.Errorf("%q has no counts", data)
		}
	})
}

func TestAnyTallyIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Tally{
			Subject{KindCache, rapid.StringMatching("[0-9a-f]{32}").Draw(t, "id"), rapid.StringN(0, 100, 400).Draw(t, "name")},
			time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "since"), 0).UTC(),
			rapid.MapOf(rapid.SampledFrom([]Counter{Checkouts, Bytes, Hits}), rapid.Int64()).Draw(t, "counts"),
		}
		line, err := formatTally(want)
		if err != nil {
			t.Fatal(err)
		}
		left := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "left")
		got, err := parseTally(append(line, left...))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func BenchmarkCount(b *testing.B) {
	j, _ := newJournal(b)
	for b.Loop() {
		j.Count(ResultsSubject("local"), Counts{Hits: 1})
	}
	if got := j.Problem(); got != nil {
		b.Error(got)
	}
}

func BenchmarkLog(b *testing.B) {
	j, _ := newJournal(b)
	for b.Loop() {
		j.Log("checkout", "cache", "mypy", "generation", "0123456789abcdef")
	}
	if got := j.Problem(); got != nil {
		b.Error(got)
	}
}

// What a run with one cache writes down: its whole cost on the way.
func BenchmarkRun(b *testing.B) {
	_, layout := newJournal(b)
	cache := Subject{KindCache, "0123456789abcdef0123456789abcdef", "mypy (mutable, repo /src/app)"}
	for b.Loop() {
		j := Open(layout)
		j.Count(ResultsSubject("local"), Counts{Misses: 1})
		j.Log("miss", "results", "local", "key", "8374b8f52d284255d1907608ff466930820b0bc41abb0d3133ed7f31c27528c6/391")
		j.Log("run-begun", "program", "mypy", "root", "/src/app")
		j.Count(cache, Counts{Checkouts: 1})
		j.Log("checkout", "cache", cache.Name, "generation", "0123456789abcdef")
		j.Count(cache, Counts{Publishes: 1, Bytes: 12345})
		j.Log("publish", "cache", cache.Name, "outcome", "published", "before", "0123456789abcdef", "added", 1, "bytes", 12345)
		j.Log("run-ended", "status", "ok", "exit_code", 0, "cached", "no", "ms", 12.5)
		j.Close()
		if err := j.Problem(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer is what a run writes down that is answered from the results.
func BenchmarkAnswer(b *testing.B) {
	_, layout := newJournal(b)
	for b.Loop() {
		j := Open(layout)
		j.Count(ResultsSubject("local"), Counts{Hits: 1})
		j.Log("run-ended", "status", "ok", "exit_code", 0, "cached", "local", "ms", 0.7)
		j.Close()
		if err := j.Problem(); err != nil {
			b.Fatal(err)
		}
	}
}
