package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheBeginningOfALogIsRead(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"2h":                   now.Add(-2 * time.Hour),
		"1d":                   now.AddDate(0, 0, -1),
		"2026-11-20":           time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		"2026-11-20 10:30:00":  time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC),
		"2026-11-20T10:30:00Z": time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	if got, err := parseSince("", now); err != nil || !got.IsZero() {
		t.Errorf("nothing, following: %v, %v", got, err)
	}
	if got, err := parseSince("yesterday", now); err == nil {
		t.Errorf("yesterday is %v", got)
	}
}

func TestFieldsOfAnEventKeepTheirOrder(t *testing.T) {
	got, err := orderedFields([]byte(`{"time":"t","z":"a \"b\"","a":1.50,"n":{"x":[1]},"b":true}`))
	want := []logField{{"time", "t"}, {"z", `a "b"`}, {"a", "1.50"}, {"n", `{"x":[1]}`}, {"b", "true"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(logField{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "[1]", `{"a"`, `{"a":}`, "text"} {
		if got, err := orderedFields([]byte(text)); err == nil {
			t.Errorf("%q has %v, and no error", text, got)
		}
	}
	for value, want := range map[string]string{"plain": "plain", "a/b.c": "a/b.c", "": `""`, "a b": `"a b"`, "a=b": `"a=b"`, "\x1b[1m": `"\x1b[1m"`} {
		if got := quoted(value); got != want {
			t.Errorf("%q is written %s, not %s", value, got, want)
		}
	}
}
