package results

import (
	"errors"
	"testing"

	"larder/caches/journal"
)

func TestLookupsAreCounted(t *testing.T) {
	files, blobs := open(t)
	record, _ := whole(t, files, blobs)
	to := journal.Open(files.layout)
	kept := NewCounted("local", NewChecked(files, blobs), to)
	for range 3 {
		if found, _, err := kept.Lookup(t.Context(), of("key")); err != nil || found == nil || found.Stdout != record.Stdout {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	if found, _, err := kept.Lookup(t.Context(), of("other")); err != nil || found != nil {
		t.Fatalf("%+v, %v", found, err)
	}
	failing := NewCounted("local", NewChecked(broken{}, blobs), to)
	if _, _, err := failing.Lookup(t.Context(), of("key")); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	tallies, err := to.Tallies()
	if err != nil || len(tallies) != 1 || tallies[0].Subject != journal.ResultsSubject("local") ||
		tallies[0].Counts[journal.Hits] != 3 || tallies[0].Counts[journal.Misses] != 2 {
		t.Errorf("%+v, %v", tallies, err)
	}
}
