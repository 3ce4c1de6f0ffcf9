package action

import (
	"errors"
	"strings"
	"testing"

	"larder/caches"
)

func TestParseCacheFlag(t *testing.T) {
	configured := CacheSpec{Path: ".c", Publish: "0,1", Key: "py3"}
	for _, c := range []struct {
		text     string
		defaults CacheSpec
		want     CacheSpec
	}{
		{"mypy=.mypy_cache", CacheSpec{}, CacheSpec{Name: "mypy", Path: ".mypy_cache"}},
		{"mypy=a,publish=0,1", CacheSpec{}, CacheSpec{Name: "mypy", Path: "a", Publish: "0,1"}},
		{"m=a,publish=0,1,scope=global,key=a,b,keep=3", CacheSpec{}, CacheSpec{Name: "m", Path: "a", Publish: "0,1", Scope: "global", Key: "a,b", Keep: 3}},
		{"m=a,lock=true", CacheSpec{}, CacheSpec{Name: "m", Path: "a", Lock: true}},
		{"m=a,lock=false,unit={a,b}/*,share=live", CacheSpec{Lock: true}, CacheSpec{Name: "m", Path: "a", Unit: "{a,b}/*", Share: "live"}},
		{"m=a,key=x=y", CacheSpec{}, CacheSpec{Name: "m", Path: "a", Key: "x=y"}},
		{"m", configured, CacheSpec{Name: "m", Path: ".c", Publish: "0,1", Key: "py3"}},
		{"m,key=py4", configured, CacheSpec{Name: "m", Path: ".c", Publish: "0,1", Key: "py4"}},
		{"m=b,publish=2", configured, CacheSpec{Name: "m", Path: "b", Publish: "2", Key: "py3"}},
	} {
		c.want.Mode = "mutable"
		if got, err := ParseCacheFlag("mutable", c.text, c.defaults); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.text, got, err, c.want)
		}
	}
}

func TestParseCacheFlagRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "no path",
		"m":                        "no path",
		"m=":                       "no path",
		"m=a,strict":               `option "strict" of cache "m=a,strict": it has no value; a path with a comma`,
		"m=a,":                     "no value",
		"m=a,b,keep=3":             `option "b"`,
		"m,lock":                   `option "lock"`,
		"m=a,size=3":               `"size=3"`,
		"m=a,publish=":             "no value",
		"m=a,keep=two":             "whole number",
		"m=a,keep=0":               "above zero",
		"m=a,keep=-1":              "above zero",
		"m=a,lock=1":               "lock=true, or lock=false",
		"m=a,unit=*/x":             "only an append-only cache takes units",
		"m=a,share=all":            "share=live only",
		"m=a,share=live,lock=true": "lock and share=live",
		"m=a,publish=0,keep":       "0,keep", // by Validate: it continues the value
	} {
		spec, err := ParseCacheFlag("mutable", text, CacheSpec{})
		if err == nil {
			_, err = Spec{Argv: []string{"x"}, Caches: []CacheSpec{spec}}.Validate("/")
		}
		if !errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want it refused with %q", text, err, want)
		}
	}
}

// FuzzParseCacheFlag: whatever the text, the flag gives a declaration that
// Validate can judge, or an error that is marked as invalid.
func FuzzParseCacheFlag(f *testing.F) {
	for _, seed := range []string{"mypy=.c,publish=0,1,scope=repo", "m", "a=b,c", "=,=,=", "m=a,keep=99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := ParseCacheFlag("append-only", text, CacheSpec{})
		if err != nil {
			if !errors.Is(err, caches.ErrInvalid) {
				t.Fatalf("%v is not marked as invalid", err)
			}
			return
		}
		if spec.Path == "" || spec.Mode != "append-only" || !strings.HasPrefix(text, spec.Name+"=") {
			t.Fatalf("%q was read as %+v", text, spec)
		}
	})
}
