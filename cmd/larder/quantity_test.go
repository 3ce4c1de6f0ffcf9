package main

import (
	"testing"
	"time"
)

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "4096B": 4096, "1k": 1024, "500K": 500 << 10, "1.5G": 3 << 29, "2GiB": 2 << 30, "10 MiB": 10 << 20, "1T": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "-1", "1X", "1KM", "1e30", "nan", "inf", "0x10G1", "9E"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d, and no error", text, got)
		}
	}
}

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
