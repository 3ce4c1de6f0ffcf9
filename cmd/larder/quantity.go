package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseSize reads a number of bytes: 4096, 500K, 1.5G, 2GiB. All units are
// powers of 1024.
func parseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "kKMGTPEiB")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(text[len(number):]), "B"), "i")
	power := 0
	if unit != "" {
		power = 1 + strings.Index("KMGTPE", strings.ToUpper(unit))
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	value *= math.Pow(1024, float64(power))
	if err != nil || len(unit) > 1 || unit != "" && power == 0 || !(value >= 0 && value < math.MaxInt64) {
		return 0, fmt.Errorf("%q is no size; write one such as 500M, 1.5G or 4096", text)
	}
	return int64(value), nil
}

// parseAge reads how long something may take or was ago: 30s, 12h, 7d, 2w, and
// what they add up to, 1d12h.
func parseAge(text string) (time.Duration, error) {
	total, rest := time.Duration(0), text
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		if number, after, ok := strings.Cut(rest, unit.name); ok {
			value, err := strconv.ParseFloat(number, 64)
			if err != nil || !(value >= 0 && value < 1e5) {
				return 0, fmt.Errorf("%q is no span of time; write one such as 90s, 12h, 7d or 2w", text)
			}
			total, rest = total+time.Duration(value*float64(unit.length)), after
		}
	}
	if rest == "" && total > 0 {
		return total, nil
	}
	remaining, err := time.ParseDuration(rest)
	if err != nil || remaining < 0 {
		return 0, fmt.Errorf("%q is no span of time; write one such as 90s, 12h, 7d or 2w", text)
	}
	return total + remaining, nil
}
