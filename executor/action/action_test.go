package action

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/caches"
)

// minimal is a spec that is valid.
func minimal() Spec { return Spec{Argv: []string{"tool"}} }

func TestValidateFillsIn(t *testing.T) {
	spec := Spec{
		Argv: []string{"mypy"}, Env: map[string]string{"Z": "1", "A": "2"}, Root: "sub/../src",
		Tools: []string{"/z", "venv/", "/z"}, Outputs: []string{"./out/", "a/b", "a/b"}, Timeout: "1m30s",
		Caches: []CacheSpec{
			{Name: "mypy", Mode: "mutable", Path: ".mypy_cache"},
			{Name: "pip", Mode: "append-only", Path: ".cache/pip"},
		},
	}
	got, err := spec.Validate("/base")
	if err != nil {
		t.Fatal(err)
	}
	want := &Action{
		Argv: []string{"mypy"}, Env: []Variable{{"A", "2"}, {"Z", "1"}}, Root: "/base/src",
		Tools: []string{"/z", "/base/venv"}, Outputs: []Path{{"a/b"}, {"out"}}, Network: NetworkNone, Host: HostSystem, Timeout: 90 * time.Second,
		Caches: []Cache{
			{Name: name(t, "pip"), Mode: caches.AppendOnly, Path: Path{".cache/pip"}, Scope: "global", Publish: caches.DefaultPublish(), Keep: 2},
			{Name: name(t, "mypy"), Mode: caches.Mutable, Path: Path{".mypy_cache"}, Scope: "repo", Publish: caches.DefaultPublish(), Keep: 2},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func name(t testing.TB, text string) caches.Name {
	t.Helper()
	parsed, err := caches.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// badSpecs are requests with one mistake each, and what the message has to say.
func badSpecs() map[string]struct {
	change func(*Spec)
	want   string
} {
	type bad = struct {
		change func(*Spec)
		want   string
	}
	cache := func(spec CacheSpec) func(*Spec) {
		if spec.Name == "" {
			spec.Name = "mypy"
		}
		if spec.Mode == "" {
			spec.Mode = "mutable"
		}
		if spec.Path == "" {
			spec.Path = "c"
		}
		return func(s *Spec) { s.Caches = append(s.Caches, spec) }
	}
	output := func(path string) func(*Spec) { return func(s *Spec) { s.Outputs = append(s.Outputs, path) } }
	return map[string]bad{
		"no command":             {func(s *Spec) { s.Argv = nil }, "no command"},
		"empty command":          {func(s *Spec) { s.Argv = []string{"", "x"} }, "no command"},
		"NUL in an argument":     {func(s *Spec) { s.Argv = []string{"a", "b\x00"} }, "NUL"},
		"variable with =":        {func(s *Spec) { s.Env = map[string]string{"A=B": "c"} }, `"A=B"`},
		"variable without name":  {func(s *Spec) { s.Env = map[string]string{"": "c"} }, "not empty"},
		"NUL in a value":         {func(s *Spec) { s.Env = map[string]string{"A": "\x00"} }, "NUL"},
		"output leaves":          {output("../x"), "leaves /build"},
		"output leaves later":    {output("a/../../x"), "leaves /build"},
		"output absolute":        {output("/etc/passwd"), "absolute"},
		"output empty":           {output(""), "empty"},
		"output is /build":       {output("a/.."), "/build itself"},
		"output not UTF-8":       {output("a\xff"), "UTF-8"},
		"output in an output":    {func(s *Spec) { s.Outputs = []string{"a/b", "a"} }, "lies inside"},
		"cache leaves":           {cache(CacheSpec{Path: ".."}), "cache mypy path"},
		"cache absolute":         {cache(CacheSpec{Path: "/root"}), "absolute"},
		"cache name":             {cache(CacheSpec{Name: "My Cache"}), `"My Cache"`},
		"cache mode":             {cache(CacheSpec{Mode: "shared"}), `"shared"`},
		"cache publish":          {cache(CacheSpec{Publish: "0,x"}), `"x"`},
		"cache publish range":    {cache(CacheSpec{Publish: "256"}), `"256"`},
		"cache on-conflict":      {cache(CacheSpec{OnConflict: "panic"}), "on-conflict=panic"},
		"cache keep":             {cache(CacheSpec{Keep: -1}), "keep=-1"},
		"a cache locked twice":   {func(s *Spec) { cache(CacheSpec{Lock: true})(s); cache(CacheSpec{Path: "other"})(s) }, "wait for itself"},
		"a unit that is no glob": {cache(CacheSpec{Mode: "append-only", Unit: "[a"}), "is no glob"},
		"two caches at one path": {func(s *Spec) { cache(CacheSpec{})(s); cache(CacheSpec{Name: "two", Path: "./c/"})(s) }, "two caches"},
		"a cache in a cache":     {func(s *Spec) { cache(CacheSpec{})(s); cache(CacheSpec{Name: "two", Path: "c/d"})(s) }, "two caches"},
		"cache and output":       {func(s *Spec) { cache(CacheSpec{})(s); output("c")(s) }, "not both"},
		"output in a cache":      {func(s *Spec) { cache(CacheSpec{})(s); output("c/report")(s) }, "not both"},
		"cache in an output":     {func(s *Spec) { cache(CacheSpec{Path: "o/c"})(s); output("o")(s) }, "not both"},
		"tree leaves":            {func(s *Spec) { s.Trees = []TreeSpec{{"d", "../t"}} }, "leaves /build"},
		"two trees at one path":  {func(s *Spec) { s.Trees = []TreeSpec{{"d", "t"}, {"e", "t/"}} }, "two trees"},
		"host":                   {func(s *Spec) { s.Host = "all" }, `"all"`},
		"network":                {func(s *Spec) { s.Network = "lan" }, `"lan"`},
		"timeout without unit":   {func(s *Spec) { s.Timeout = "5" }, `"5"`},
		"timeout zero":           {func(s *Spec) { s.Timeout = "0s" }, "above zero"},
		"timeout negative":       {func(s *Spec) { s.Timeout = "-1s" }, "above zero"},
		"memory without number":  {func(s *Spec) { s.Memory = "much" }, `memory: "much"`},
		"memory zero":            {func(s *Spec) { s.Memory = "0" }, "above zero"},
		"memory for nothing":     {func(s *Spec) { s.Memory = "10K" }, "1M or more"},
		"pids negative":          {func(s *Spec) { s.Pids = -1 }, "from 1 to"},
		"pids beyond the kernel": {func(s *Spec) { s.Pids = 1 << 30 }, "from 1 to"},
		"cpu-time without unit":  {func(s *Spec) { s.CPUTime = "7" }, `cpu-time "7"`},
		"output-limit zero":      {func(s *Spec) { s.OutputLimit = "0M" }, "output-limit"},
		"tool empty":             {func(s *Spec) { s.Tools = []string{""} }, "tool path"},
		"observed empty":         {func(s *Spec) { s.Observe = []string{""} }, "observed path"},
	}
}

func TestValidateRefuses(t *testing.T) {
	for what, bad := range badSpecs() {
		t.Run(what, func(t *testing.T) {
			spec := minimal()
			bad.change(&spec)
			action, err := spec.Validate("/base")
			if action != nil || !errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("got %v; want an invalid request that says %q", err, bad.want)
			}
		})
	}
}

func TestValidateReportsAllAtOnce(t *testing.T) {
	spec := Spec{
		Outputs: []string{"/abs", "../up"}, Network: "lan", Timeout: "soon",
		Caches: []CacheSpec{{Name: "BAD", Mode: "odd", Path: "/c", Publish: "x", OnConflict: "y", Keep: -3}},
	}
	_, err := spec.Validate("/base")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no command", "/abs", "../up", "lan", "soon", "BAD", "odd", `"/c"`, "publish=x", "on-conflict=y", "keep=-3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message does not speak of %q:\n%v", want, err)
		}
	}
}

func TestPathsThatOnlyLookAlikeDoNotOverlap(t *testing.T) {
	spec := minimal()
	spec.Outputs = []string{"cache2", "out", "out.txt"}
	spec.Caches = []CacheSpec{{Name: "a", Mode: "mutable", Path: "cache"}, {Name: "b", Mode: "mutable", Path: "cache-b"}}
	if _, err := spec.Validate("/"); err != nil {
		t.Error(err)
	}
}

func TestScopeChoiceResolves(t *testing.T) {
	for choice, want := range map[ScopeChoice]caches.Scope{
		"repo": caches.RepoScope("/r"), "global": caches.GlobalScope(), "team": caches.CustomScope("team"),
	} {
		if got := choice.Resolve("/r"); got != want {
			t.Errorf("%s: got %v, want %v", choice, got, want)
		}
	}
}
