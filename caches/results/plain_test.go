package results

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPlainRecordsAreReadAsAnyJSONIs draws records as they are written. Each that
// is read as a plain one is what the reader of any JSON makes of it; and with texts
// of paths and digests, all are plain that have observed nothing.
func TestPlainRecordsAreReadAsAnyJSONIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		isEasy := rapid.Bool().Draw(r, "easy")
		text := rapid.String()
		if isEasy {
			text = rapid.StringMatching(`[a-z0-9/._,:{}\[\] =+-]*`)
		}
		want := &Record{
			Format: Format, ExitCode: rapid.Int().Draw(r, "code"), Stdout: text.Draw(r, "stdout"), Stderr: text.Draw(r, "stderr"),
			OutputTree: text.Draw(r, "tree"), IgnoresInput: rapid.Bool().Draw(r, "ignores"),
			Created: time.Unix(rapid.Int64Range(0, 1<<33).Draw(r, "created"), 0).UTC(),
			RunMS:   float64(rapid.Int64Range(0, 1<<40).Draw(r, "us")) / 1000, MaxRSSBytes: rapid.Int64().Draw(r, "rss"),
			UserMS: rapid.Int64().Draw(r, "user"), SystemMS: rapid.Int64().Draw(r, "system"),
		}
		for range rapid.IntRange(0, 3).Draw(r, "outputs") {
			want.Outputs = append(want.Outputs, Output{text.Draw(r, "path"), text.Draw(r, "digest"), text.Draw(r, "kind"), rapid.Bool().Draw(r, "x"), text.Draw(r, "target")})
		}
		if !isEasy && rapid.Bool().Draw(r, "observed") {
			want.Observed = []Observation{{text.Draw(r, "host path"), text.Draw(r, "state")}}
		}
		line, err := json.Marshal(want)
		if err != nil {
			r.Fatal(err)
		}
		if isSame(t, line) != isEasy && isEasy {
			r.Fatalf("%s is not plain", line)
		}
	})
}

// isSame reports whether a line is plain; then both readers have to agree.
func isSame(t *testing.T, line []byte) bool {
	t.Helper()
	got, ok := parsePlain(line)
	if !ok {
		return false
	}
	want := &Record{}
	if err := json.Unmarshal(line, want); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q is\n%+v, want\n%+v, %v", line, got, want, err)
	}
	return true
}

// FuzzParsePlain: whatever is taken for plain is JSON, and means that.
func FuzzParsePlain(f *testing.F) {
	record := answer()
	record.Observed = nil
	line, err := json.Marshal(record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	for i := range line {
		f.Add(append(append([]byte{}, line[:i]...), line[i+1:]...))
	}
	f.Add([]byte(`{"format":1,"exit_code":-0,"stdout":"","stderr":"","created":"2026-11-22T00:00:00Z","run_ms":1e3,"max_rss_bytes":01,"user_ms":+1,"system_ms":1}`))
	f.Fuzz(func(t *testing.T, line []byte) { isSame(t, line) })
}
