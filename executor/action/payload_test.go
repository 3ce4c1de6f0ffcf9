package action

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"larder/caches"
)

func TestParsePayloadFlag(t *testing.T) {
	for text, want := range map[string]PayloadSpec{
		"/mnt/sdk=sdk":             {Host: "/mnt/sdk", Path: "sdk"},
		"sdk=a/b,copy=always":      {Host: "sdk", Path: "a/b", Copy: "always"},
		"/x=a,b,copy=never":        {Host: "/x", Path: "a,b", Copy: "never"},
		"/x=y,copy=never,copy=hmm": {Host: "/x", Path: "y", Copy: "hmm"},
		"/x":                       {},
		"=x":                       {},
		"/x=":                      {},
		"/x=y,keep=2":              {},
	} {
		got, err := ParsePayloadFlag(text)
		if got != want || errors.Is(err, caches.ErrInvalid) != (want == PayloadSpec{}) {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestPayloadsAreChecked(t *testing.T) {
	spec := minimal()
	spec.Payloads = []PayloadSpec{{Host: "sdk/../kit", Path: "z"}, {Host: "/mnt/x", Path: "./a/", Copy: "always"}}
	got, err := spec.Validate("/base")
	want := []Payload{{"/mnt/x", Path{"a"}, caches.CopyAlways}, {"/base/kit", Path{"z"}, caches.CopyRemote}}
	if err != nil || !reflect.DeepEqual(got.Payloads, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestPayloadsShareTheirPathWithNothing(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		"payload at a/b": func(s *Spec) { s.Payloads = append(s.Payloads, PayloadSpec{Host: "/y", Path: "a/b"}) },
		"output at a":    func(s *Spec) { s.Outputs = []string{"a"} },
		"tree at a/c":    func(s *Spec) { s.Trees = []TreeSpec{{"d", "a/c"}} },
		"cache at a": func(s *Spec) {
			s.Caches = []CacheSpec{{Name: "c", Mode: "mutable", Path: "a"}}
		},
		"names no directory": func(s *Spec) { s.Payloads = append(s.Payloads, PayloadSpec{Path: "q"}) },
		"leaves /build":      func(s *Spec) { s.Payloads[0].Path = "../a" },
		`copy policy "x"`:    func(s *Spec) { s.Payloads[0].Copy = "x" },
	} {
		spec := minimal()
		spec.Payloads = []PayloadSpec{{Host: "/x", Path: "a"}}
		change(&spec)
		_, err := spec.Validate("/base")
		if !errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want it to say %q", err, want)
		}
	}
}
