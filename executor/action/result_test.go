package action

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// published is the record that readers were promised.
const published = `{"schema":1,"status":"ok","exit_code":0,"signal":0,"cached":"no",
 "key":"HASH/SIZE","input_digest":"…","output_digest":"…","stdout_digest":"…","stderr_digest":"…","digest_function":"blake3",
 "runner":"local","sandbox":"namespaces",
 "caches":[{"name":"mypy","mode":"mutable","scope":"repo","path":".mypy_cache","outcome":"published",
   "generation_before":"…","generation_after":"…","added":2,"changed":1,"removed":0,"duplicates":0,"violations":[{"path":"…","kind":"modified"}],"conflicts":[]}],
 "outputs":[{"path":"…","digest":"…","kind":"file","executable":false}],
 "limits_hit":[],"warnings":[],"timings_ms":{"scan":0,"lookup":0,"checkout":0,"setup_sandbox":0,"run":0,"capture":0,"publish":0,"total":0},
 "resources":{"max_rss_bytes":0,"user_ms":0,"system_ms":0}}`

func TestRecordHasExactlyThePublishedMembers(t *testing.T) {
	result := NewResult()
	result.Caches = []CacheResult{{Violations: []Violation{{}}, Conflicts: []string{}}}
	result.Outputs = []Output{{}}
	ours, theirs := membersOf(t, written(t, result)), membersOf(t, []byte(published))
	for _, path := range theirs {
		if !slices.Contains(ours, path) {
			t.Errorf("the record lacks %s", path)
		}
	}
	for _, path := range ours {
		if !slices.Contains(theirs, path) {
			t.Errorf("the record has %s, which is not published", path)
		}
	}
}

func TestPublishedRecordIsReadWhole(t *testing.T) {
	var result Result
	if err := json.Unmarshal([]byte(published), &result); err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(published), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(written(t, &result), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read and written again: %v, %v; want %v", got, err, want)
	}
}

func TestNewResultHoldsNoNull(t *testing.T) {
	if text := string(written(t, NewResult())); strings.Contains(text, "null") {
		t.Errorf("a list is null: %s", text)
	}
}

func TestStepsEndWithTheTotal(t *testing.T) {
	steps := Steps()
	if steps[len(steps)-1] != StepTotal {
		t.Errorf("the last step is %s", steps[len(steps)-1])
	}
	if timings := NewResult().TimingsMS; len(timings) != len(steps) {
		t.Errorf("%d timings for %d steps", len(timings), len(steps))
	}
}

func written(t testing.TB, result *Result) []byte {
	t.Helper()
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// membersOf lists the paths of all members of a JSON text.
func membersOf(t testing.TB, text []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	collect(paths, "", value)
	return slices.Sorted(maps.Keys(paths))
}

func collect(paths map[string]bool, at string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			paths[at+"."+name] = true
			collect(paths, at+"."+name, member)
		}
	case []any:
		for _, element := range value {
			collect(paths, at+"[]", element)
		}
	}
}
