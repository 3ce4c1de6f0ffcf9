package main

import (
	"testing"
	"time"
)

func TestSpansOfTimeAreRead(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "12h": 12 * time.Hour, "7d": 7 * day, "2w": 14 * day, "1w1d12h": 8*day + 12*time.Hour, "0.5d": 12 * time.Hour, "0s": 0,
	} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "-1d", "-5s", "1x", "1d1w", "nand", "1e9d"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q is %v, and no error", text, got)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 entries", 1: "1 entry", 2: "2 entries"} {
		if got := counted(n, "entry", "entries"); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
