package journal

import (
	"maps"
	"os"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestAnOpenTallyIsNeverBehind draws what two journals of one store do in turn,
// each with a file that stays open, and what others do to the files: counts are as
// if each had been opened for itself.
func TestAnOpenTallyIsNeverBehind(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		one, layout := newJournal(t)
		journals := []*Journal{one, Open(layout)}
		defer journals[1].Close()
		subjects := []Subject{ResultsSubject("a"), ResultsSubject("b")}
		want := map[Subject]Counts{subjects[0]: {}, subjects[1]: {}}
		for _, subject := range subjects {
			one.Forget(subject)
		}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			j := rapid.SampledFrom(journals).Draw(r, "journal")
			subject := rapid.SampledFrom(subjects).Draw(r, "subject")
			switch rapid.SampledFrom([]string{"count", "count", "count", "zero", "forget", "remove", "tear", "close"}).Draw(r, "step") {
			case "count":
				counter := rapid.SampledFrom([]Counter{Hits, Misses}).Draw(r, "counter")
				j.Count(subject, Counts{counter: 1})
				want[subject][counter]++
			case "zero":
				if err := j.Zero(); err != nil {
					r.Fatal(err)
				}
				clear(want[subjects[0]])
				clear(want[subjects[1]])
			case "forget":
				j.Forget(subject)
				clear(want[subject])
			case "remove":
				_ = os.Remove(j.tallyPath(subject))
				clear(want[subject])
			case "tear":
				_ = os.WriteFile(j.tallyPath(subject), []byte("1 torn"), 0o644)
				clear(want[subject])
			case "close":
				j.Close()
			}
		}
		tallies, err := one.Tallies()
		if err != nil || one.Problem() != nil || journals[1].Problem() != nil {
			r.Fatal(err, one.Problem(), journals[1].Problem())
		}
		got := map[Subject]Counts{subjects[0]: {}, subjects[1]: {}}
		for _, tally := range tallies {
			got[tally.Subject] = tally.Counts
		}
		if !maps.EqualFunc(got, want, maps.Equal) {
			r.Fatalf("counted %v, want %v", got, want)
		}
	})
}

// TestGoroutinesCountExactly: who finds the open file taken opens it for itself.
func TestGoroutinesCountExactly(t *testing.T) {
	j, _ := newJournal(t)
	const goroutines, times = 8, 200
	var all sync.WaitGroup
	for n := range goroutines {
		all.Go(func() {
			for range times {
				j.Count(ResultsSubject("test"), Counts{Hits: 1})
				if n == 0 {
					j.Count(ResultsSubject("other"), Counts{Misses: 1})
				}
			}
		})
	}
	all.Wait()
	if got := counts(t, j)[Hits]; got != goroutines*times || j.Problem() != nil {
		t.Errorf("%d of %d were counted: %v", got, goroutines*times, j.Problem())
	}
}

// TestAnOpenTallyIsNotLocked: another process, or the death of this one while it
// has children, waits for nothing.
func TestAnOpenTallyIsNotLocked(t *testing.T) {
	j, _ := newJournal(t)
	subject := ResultsSubject("test")
	j.Count(subject, Counts{Hits: 1})
	if j.counting.file == nil {
		t.Fatal("the file does not stay open")
	}
	file, err := lockedFile(j.tallyPath(subject), os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	j.Close()
	if j.counting.file != nil {
		t.Error("Close leaves it open")
	}
}
