package main

import (
	"testing"
	"time"

	"larder/caches/upkeep"
)

func TestWhatHasNoNameForPeopleIsSummedUp(t *testing.T) {
	day := 24 * time.Hour
	for want, ages := range map[string][]time.Duration{
		"1 blob (1.0 KiB, last used 3 days ago)":                {3 * day},
		"2 blobs (2.0 KiB, last used 3 days ago)":               {3 * day, 3*day + time.Minute},
		"3 blobs (3.0 KiB, last used 1 week ago to 3 days ago)": {5 * day, 3 * day, 8 * day},
	} {
		var sum pruneSum
		for _, age := range ages {
			sum.add(upkeep.Item{Kind: upkeep.Blobs, Bytes: 1024, Used: time.Now().Add(-age)})
		}
		if got := sum.text(upkeep.Blobs); got != want {
			t.Errorf("%v: %q, want %q", ages, got, want)
		}
	}
	var never pruneSum
	never.add(upkeep.Item{Kind: upkeep.Temporary})
	if got := never.text(upkeep.Temporary); got != "1 temporary file (0 B, last used never)" {
		t.Errorf("what was never used: %q", got)
	}
	for kind, want := range map[upkeep.Kind]bool{upkeep.Caches: true, upkeep.Payloads: true, upkeep.Kept: true, upkeep.OldFormats: true, upkeep.Blobs: false, upkeep.Trees: false, upkeep.Indexes: false} {
		if isNamed(kind) != want {
			t.Errorf("%s is told by name: %t", kind, !want)
		}
	}
}
