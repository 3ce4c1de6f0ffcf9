package main

import (
	"testing"
	"time"
)

func TestSizesForPeople(t *testing.T) {
	for bytes, want := range map[int64]string{
		-1: "0 B", 0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB",
		5 << 20: "5.0 MiB", 1<<40 + 1<<39: "1.5 TiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := forPeople(size(bytes)); got != want {
			t.Errorf("%d bytes: %q, want %q", bytes, got, want)
		}
	}
}

func TestAgesForPeople(t *testing.T) {
	for since, want := range map[time.Duration]string{
		-time.Hour: "now", 900 * time.Millisecond: "now", time.Second: "1 second ago", 59 * time.Second: "59 seconds ago",
		90 * time.Second: "1 minute ago", 25 * time.Hour: "1 day ago", 15 * 24 * time.Hour: "2 weeks ago", 800 * 24 * time.Hour: "2 years ago",
	} {
		if got := age(since); got != want {
			t.Errorf("%v: %q, want %q", since, got, want)
		}
	}
	if got := forPeople(when(time.Time{})); got != "never" {
		t.Errorf("no time: %q", got)
	}
}
