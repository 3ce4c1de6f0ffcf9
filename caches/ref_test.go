package caches

import (
	"encoding/json"
	"errors"
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// anyRef draws refs from few and awkward parts, so that parts of one that run
// into each other would look like another.
func anyRef(t *rapid.T, label string) Ref {
	part := rapid.SampledFrom([]string{"", "a", "b", "ab", "a,", "1:a", "1:a,1:b", ",", "0:,", "global", "repo"})
	name, err := ParseName(rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, label+" name"))
	if err != nil {
		t.Fatal(err)
	}
	scopes := []Scope{GlobalScope(), RepoScope(part.Draw(t, label+" root")), CustomScope(part.Draw(t, label+" scope"))}
	return Ref{
		Name: name, Mode: rapid.SampledFrom([]Mode{AppendOnly, Mutable}).Draw(t, label+" mode"),
		Scope: rapid.SampledFrom(scopes).Draw(t, label+" kind"), Key: part.Draw(t, label+" key"),
		Live: rapid.Bool().Draw(t, label+" live"),
	}
}

func TestIDsAreAsDifferentAsTheirRefs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{32}$`)
	rapid.Check(t, func(r *rapid.T) {
		one, two := anyRef(r, "one"), anyRef(r, "two")
		if (one == two) != (one.ID() == two.ID()) {
			r.Fatalf("%#v has ID %s, %#v has ID %s", one, one.ID(), two, two.ID())
		}
		if !form.MatchString(one.ID()) {
			r.Fatalf("ID %q", one.ID())
		}
	})
}

func TestRefsSurviveTheirRecord(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ref := anyRef(r, "ref")
		data, err := json.Marshal(ref)
		var back Ref
		if err = errors.Join(err, json.Unmarshal(data, &back)); err != nil || back != ref {
			r.Fatalf("%s reads as %v, %v", data, back, err)
		}
	})
}

// FuzzRefRecord: a record from outside is refused, or gives a Ref that is valid.
func FuzzRefRecord(f *testing.F) {
	f.Add([]byte(`{"format":1,"name":"mypy","mode":"mutable","scope_kind":1,"scope":"/src","key":""}`))
	f.Add([]byte(`{"name":"../x","mode":"append-only","scope_kind":9}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ref Ref
		if err := json.Unmarshal(data, &ref); err != nil {
			return
		}
		if name, err := ParseName(ref.Name.String()); ref != (Ref{}) && (err != nil || name != ref.Name || ref.Scope.Kind() == 0) {
			t.Fatalf("%s was read as %#v", data, ref)
		}
	})
}

// TestIDsStay: an ID that changes with a version would lose every cache.
func TestIDsStay(t *testing.T) {
	name, err := ParseName("mypy")
	if err != nil {
		t.Fatal(err)
	}
	ref := Ref{Name: name, Mode: Mutable, Scope: RepoScope("/src/app"), Key: "py3"}
	if got, want := ref.ID(), "9e4e25630a5498115ebae6e5984486ef"; got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
}

func TestRefsAreDescribed(t *testing.T) {
	name, err := ParseName("mypy")
	if err != nil {
		t.Fatal(err)
	}
	for want, ref := range map[string]Ref{
		"mypy (mutable, repo /src/app)":       {Name: name, Mode: Mutable, Scope: RepoScope("/src/app")},
		"mypy (append-only, global, key py3)": {Name: name, Mode: AppendOnly, Scope: GlobalScope(), Key: "py3"},
		"mypy (mutable, global, key k, live)": {Name: name, Mode: Mutable, Scope: GlobalScope(), Key: "k", Live: true},
		"mypy (mutable, team)":                {Name: name, Mode: Mutable, Scope: CustomScope("team")},
	} {
		if got := ref.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if scope := RepoScope("/r"); scope.Kind() != ScopeRepo || scope.Detail() != "/r" || (Scope{}).Kind() != 0 {
		t.Errorf("the parts of %v", scope)
	}
}
