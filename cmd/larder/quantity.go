package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

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

// counted is a number of things, in words.
func counted[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
