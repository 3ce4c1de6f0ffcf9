package named_test

import (
	"fmt"
	"os"
	"testing"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// long is the long form of a figure when LARDER_STRESS is set, else the short one.
func long(short, stressed int) int {
	if os.Getenv("LARDER_STRESS") != "" {
		return stressed
	}
	return short
}

// results counts the outcomes that children print.
type results struct {
	ended                     map[journal.Counter]int64
	added, same, conflicts, n int64
}

func sumUp(t *testing.T, lines []string) results {
	t.Helper()
	sum := results{ended: map[journal.Counter]int64{}}
	counters := map[named.Result]journal.Counter{
		named.Published: journal.Publishes, named.Merged: journal.Merges, named.Replaced: journal.Replacements,
		named.Unchanged: journal.Unchanged, named.Discarded: journal.Discards, named.Failed: journal.Failures,
	}
	for _, line := range lines {
		var result named.Result
		var added, same, conflicts int64
		if _, err := fmt.Sscan(line, &result, &added, &same, &conflicts); err != nil || counters[result] == "" {
			t.Errorf("outcome %q: %v", line, err)
		}
		sum.ended[counters[result]]++
		sum.added, sum.same, sum.conflicts, sum.n = sum.added+added, sum.same+same, sum.conflicts+conflicts, sum.n+1
	}
	return sum
}

// counted compares the tally of the cache with what the children said. The
// checkouts by which the test itself looked at the cache were closed without a
// publish: so many discards and checkouts are more.
func (r results) counted(t *testing.T, c *namedtest.Cache, looks int64) {
	t.Helper()
	got := tally(c)
	r.ended[journal.Discards] += looks
	for counter, n := range r.ended {
		if got[counter] != n {
			t.Errorf("%s: %d in the tally, %d happened", counter, got[counter], n)
		}
	}
	if got[journal.Checkouts] != r.n+looks || got[journal.Duplicates] != r.same || got[journal.Conflicts] != r.conflicts {
		t.Errorf("the tally %v, and what happened %+v", got, r)
	}
}

// Many processes add to one append-only cache, each file two of them, so that half
// of the additions are duplicates: all is there, and every count is exact.
func TestStressAdditionsByManyProcesses(t *testing.T) {
	processes, adds := long(16, 64), long(800, 10_000)
	c := namedtest.New(t, caches.AppendOnly, namedtest.Copied)
	each := (adds + processes - 1) / processes
	var jobs []job
	for n := range processes {
		files := layertest.Tree{}
		for f := range each {
			partner := n ^ 1
			if f%2 == 0 {
				partner = (n + processes/2) % processes
			}
			path := fmt.Sprintf("%d/%d/%d", f%3, min(n, partner), f)
			files[path] = path
		}
		jobs = append(jobs, job{Root: c.Layout.Root(), Mode: caches.AppendOnly, Files: files})
	}
	sum := sumUp(t, together(t, jobs))
	content := c.Content()
	for path, text := range content {
		if text != path {
			t.Errorf("%s holds %q", path, text)
		}
	}
	half := processes * each / 2
	if len(content) != half || sum.added != int64(half) || sum.same != int64(half) || sum.conflicts != 0 {
		t.Errorf("%d paths are there, %d reported as added, %d as duplicates; want %d of each", len(content), sum.added, sum.same, half)
	}
	sum.counted(t, c, 1)
}

// Many processes add files of their own to one mutable cache: none is lost.
func TestStressDisjointChangesByManyProcesses(t *testing.T) {
	const processes, each = 16, 50
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	want := layertest.Tree{}
	var jobs []job
	for n := range processes {
		files := layertest.Tree{}
		for f := range each {
			path := fmt.Sprintf("d%d/%d-%d", f%7, n, f)
			files[path], want[path] = path, path
		}
		jobs = append(jobs, job{Root: c.Layout.Root(), Mode: caches.Mutable, Files: files})
	}
	sum := sumUp(t, together(t, jobs))
	c.Holds(want)
	if sum.added != processes*each || sum.ended[journal.Publishes]+sum.ended[journal.Merges] != processes {
		t.Errorf("%+v", sum)
	}
	sum.counted(t, c, 1)
}

// Many processes change the same files of one mutable cache: the head is always
// one publisher's whole generation, and each outcome is counted.
func TestStressOverlappingChangesByManyProcesses(t *testing.T) {
	processes, times := 16, long(3, 40)
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	var jobs []job
	for range processes {
		jobs = append(jobs, job{Root: c.Layout.Root(), Mode: caches.Mutable, Times: times, Marked: true,
			Files: layertest.Tree{"a": "", "b": "", "d/c": "", "d/e/f": ""}})
	}
	done := make(chan results)
	go func() { done <- sumUp(t, together(t, jobs)) }()
	for looks := int64(1); ; looks++ {
		wholeGeneration(t, c.Content())
		select {
		case sum := <-done:
			if wholeGeneration(t, c.Content()); len(c.Content()) != 4 || sum.n != int64(processes*times) {
				t.Errorf("%d files, %d outcomes", len(c.Content()), sum.n)
			}
			sum.counted(t, c, looks+2)
			return
		default:
		}
	}
}
