package main

import (
	"strings"
	"testing"
	"time"
)

func TestFiltersOfRows(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	row := cacheRow{
		Name: "mypy", Kind: "mutable", Scope: "repo", Repository: "/src/app", Key: "1.0", Status: "cached",
		Bytes: 5000, Entries: 10, Generations: 2, LastUsed: now.Add(-2 * time.Hour),
	}
	for text, want := range map[string]bool{
		"name=mypy": true, "name=m*": true, "name=my": false, "name!=my": true, "name != m*": false, "name=": false, "problem=": true,
		"scope=repo*": true, "scope=*/app, key 1.?": true, "scope=/src": false, "status=[ab]*": false,
		"size>4999": true, "size>5000": false, "size<1M": true, "size=5000": true,
		"entries>9": true, "entries<10": false, "generations<3": true,
		"last-used>1h": true, "last-used>1d": false, "last-used<3h": true, "last-used=2026-11-21*": true,
	} {
		parsed, err := parseFilters([]string{text}, now)
		if err != nil || parsed.pass(row) != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
	both, err := parseFilters([]string{"name=mypy", "size>1G"}, now)
	if err != nil || both.pass(row) {
		t.Errorf("two filters, one of which does not hold: passed, %v", err)
	}
	for _, text := range []string{"", "name", "=x", "colour=red", "name>a", "size>x", "entries<1.5", "last-used>monday", "name=[", "name!a"} {
		if _, err := parseFilters([]string{text}, now); err == nil || !strings.HasPrefix(err.Error(), "--filter "+text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
