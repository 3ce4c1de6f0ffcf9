package action

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"larder/caches"
)

func TestParseSpecReadsEveryMember(t *testing.T) {
	const text = `{
		"argv": ["mypy", "src"], "env": {"A": "b"}, "root": "/src", "inputs": ["."],
		"trees": [{"digest": "d", "path": "lib"}], "tools": ["/venv"], "outputs": ["out"],
		"payloads": [{"host": "/mnt/sdk", "path": "sdk", "copy": "always"}],
		"caches": [{"name": "mypy", "mode": "mutable", "path": ".mypy_cache", "scope": "s", "key": "k",
			"publish": "0,1", "on_conflict": "replace", "keep": 3}],
		"observe": ["/etc/hosts"], "setup": "a", "teardown": "b", "network": "host", "host": "none", "allow_userns": true, "timeout": "5m", "strict": true,
		"memory": "1G", "pids": 100, "cpu_time": "10m", "output_limit": "20M"
	}`
	spec, err := ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	value := reflect.ValueOf(spec)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Errorf("member %s was not read", value.Type().Field(i).Name)
		}
	}
	again, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := ParseSpec(again); err != nil || !reflect.DeepEqual(spec, second) {
		t.Errorf("written and read again: %+v, %v; want %+v", second, err, spec)
	}
}

func TestParseSpecNamesTheLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"another case", "{\n \"Argv\": [\"a\"]}", "spec, at line 2, column 2: there is no member Argv; it is written argv"},
		{"twice", "{\"argv\": [\"a\"],\n  \"argv\": [\"b\"]}", "spec, at line 2, column 3: the member argv is there twice; leave one of them out"},
		{"several", "{\"argv\": \"a\",\n  \"argw\": 1}", "spec, at line 1, column 10: argv takes a list of texts, not a text; at line 2, column 3: there is no member argw"},
		{"objects", "{\"argv\": [\"a\"], \"caches\": [{\"keep\": \"2\"}], \"trees\": {}}", "column 37: caches[0].keep takes a whole number, not a text; at line 1, column 53: trees takes a list of objects, not an object"},
		{"not UTF-8", "{\"argv\":\n [\"\xff\"]}", "line 2, column 4: the text is not UTF-8"},
		{"unknown member", "{\n \"argv\": [\"a\"],\n \"outptus\": [\"b\"],\n \"root\": \"/\"\n}", "line 3"},
		{"unknown member of a cache", "{\"argv\": [\"a\"],\n\"caches\": [\n{\"name\": \"n\",\n\"size\" : 1}]}", "line 4"},
		{"a value like the unknown member", "{\"argv\": [\"odd\"],\n\"odd\": 1}", "line 2"},
		{"wrong type", "{\n \"argv\":\n  7\n}", "line 3"},
		{"broken syntax", "{\n\n \"argv\" [\"a\"]}", "line 3"},
		{"cut off", "{\n \"argv\": [\"a\"", "line 2"},
		{"empty", "", "line 1"},
		{"not an object", "\n[]", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseSpec([]byte(c.text))
			if !errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want an invalid spec at %s", err, c.want)
			}
		})
	}
}

func TestParseSpecRefusesWhatFollows(t *testing.T) {
	for _, rest := range []string{"{}", "}", "x", "null", "\n\n,"} {
		if _, err := ParseSpec([]byte(`{"argv":["a"]} ` + rest)); !errors.Is(err, caches.ErrInvalid) {
			t.Errorf("followed by %q: %v; want it refused", rest, err)
		}
	}
	if _, err := ParseSpec([]byte("{\"argv\":[\"a\"]}\n\t ")); err != nil {
		t.Errorf("followed by white space: %v", err)
	}
}

// FuzzParseSpec: what is read can be written and read again, and what is
// refused is refused as invalid.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"argv":["a"],"caches":[{"name":"n","mode":"mutable","path":"p"}]}`))
	f.Add([]byte(`{"argv":["a"],"x":1}`))
	f.Add([]byte("{\n\"timeout\": 3}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := ParseSpec(data)
		if err != nil {
			if !errors.Is(err, caches.ErrInvalid) {
				t.Fatalf("%v is not marked as invalid", err)
			}
			return
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseSpec(text); err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if action, err := spec.Validate("/base"); err == nil && len(action.Argv) == 0 {
			t.Fatal("valid without a command")
		}
	})
}
