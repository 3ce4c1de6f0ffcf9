package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"larder/caches/journal"
)

func TestChangesOfTallies(t *testing.T) {
	began := time.Unix(1e9, 0).UTC()
	local, cache := journal.ResultsSubject("local"), journal.Subject{Kind: journal.KindCache, ID: "1", Name: "c (mutable, global)"}
	quiet := journal.Subject{Kind: journal.KindCache, ID: "2", Name: "quiet"}
	before := []journal.Tally{
		{Subject: cache, Since: began, Counts: journal.Counts{journal.Checkouts: 5, journal.Bytes: 10}},
		{Subject: quiet, Since: began, Counts: journal.Counts{journal.Checkouts: 1}},
	}
	after := []journal.Tally{
		{Subject: cache, Since: began, Counts: journal.Counts{journal.Checkouts: 8, journal.Bytes: 10}},
		{Subject: quiet, Since: began, Counts: journal.Counts{journal.Checkouts: 1}},
		{Subject: local, Since: began, Counts: journal.Counts{journal.Hits: 4}},
	}
	changes := tallyChanges(before, after, 2*time.Second)
	want := []countChange{
		{journal.KindCache, cache.Name, journal.Checkouts, 3, 1.5},
		{journal.KindResults, "local", journal.Hits, 4, 2},
		{journal.KindResults, "local", journal.Misses, 0, 0},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	text := changeLines(time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC), changes)
	if text != "10:30:00  cache c (mutable, global)  checkouts +3 (1.5/s)\n10:30:00  results local  hits +4 (2.0/s)  misses +0 (0.0/s)\n" {
		t.Errorf("lines:\n%s", text)
	}
	zeroed := []journal.Tally{{Subject: cache, Since: began.Add(1), Counts: journal.Counts{journal.Checkouts: 2}}}
	if got := tallyChanges(before, zeroed, time.Second); len(got) != 1 || got[0].Difference != 2 {
		t.Errorf("after zeroing: %+v", got)
	}
}

func TestIntervalsAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"1": time.Second, "0.5": 500 * time.Millisecond, "2m": 2 * time.Minute} {
		if got, err := parseInterval(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	if got, err := parseInterval("0"); err == nil || !strings.Contains(err.Error(), "--interval") {
		t.Errorf("0 is %v, %v", got, err)
	}
}
