package preset

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"larder/executor/action"
)

// Every preset of the table makes a request that larder accepts, says what it is
// for and why, and has a cache.
func TestEveryPresetIsWhole(t *testing.T) {
	known, err := All(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mypy", "pytest", "ruff", "eslint", "go", "cargo", "gradle", "pip", "npm", "uv", "ccache"} {
		if _, ok := known[name]; !ok {
			t.Errorf("there is no preset %s", name)
		}
	}
	for name, one := range known {
		if one.Summary == "" || one.Why == "" || one.Command == "" || len(one.Inputs) == 0 || len(one.Caches) == 0 {
			t.Errorf("preset %s lacks a summary, a reason, a command, inputs or a cache", name)
		}
		root := t.TempDir()
		spec := action.Spec{Argv: strings.Fields(one.Command), Root: root}
		found, err := Find(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		found.Under(&spec, root)
		if !NeedsVersion(spec) || len(one.Version) == 0 && one.VersionFile == "" {
			t.Errorf("preset %s: no cache carries the version of the tool", name)
		}
		Expand(&spec, "1.0")
		if NeedsVersion(spec) {
			t.Errorf("preset %s: a version was left out", name)
		}
		if _, err := spec.Validate(root); err != nil {
			t.Errorf("preset %s: %v", name, err)
		}
	}
}

func TestUnknownPresetsListTheKnown(t *testing.T) {
	_, err := Find("mypi", map[string]Preset{"mine": {}})
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "mine, mypy, npm") {
		t.Errorf("the error is %v", err)
	}
}

func TestOwnEntriesAddToTheTable(t *testing.T) {
	found, err := Find("mypy", map[string]Preset{"mypy": {
		Inputs: []string{"*.toml"}, Env: map[string]string{"A": "b"},
		Caches: map[string]Cache{"mypy": {Options: Options{Scope: "global"}}, "more": in("append-only", "more")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Cache{"mutable", Options{Path: ".mypy_cache", Publish: "0,1", Scope: "global", Key: "{version}"}}
	if found.Caches["mypy"] != want {
		t.Errorf("the cache is %+v, want %+v", found.Caches["mypy"], want)
	}
	if found.Caches["more"].Path != "more" || found.Env["A"] != "b" || found.Env["MYPY_CACHE_DIR"] == "" {
		t.Errorf("caches or variables were lost: %+v", found)
	}
	if !slices.Contains(found.Inputs, "*.py") || !slices.Contains(found.Inputs, "*.toml") {
		t.Errorf("inputs are %q", found.Inputs)
	}
	plain, err := Find("mypy", nil)
	if err != nil || plain.Caches["mypy"].Scope != "" || len(plain.Caches) != 1 {
		t.Errorf("the table was changed: %+v, %v", plain, err)
	}
}

func TestACacheWithoutModeOrPathIsRefused(t *testing.T) {
	for _, cache := range []Cache{in("", "x"), in("mutable", "")} {
		if _, err := Find("mine", map[string]Preset{"mine": {Caches: map[string]Cache{"c": cache}}}); err == nil || !strings.Contains(err.Error(), "preset mine: cache c") {
			t.Errorf("%+v: the error is %v", cache, err)
		}
	}
}

func TestWhatASpecSaysComesFirst(t *testing.T) {
	root := t.TempDir()
	mine := Preset{
		Inputs: []string{"*.py", "missing.toml", "there.toml", "!old"}, Setup: "s", Teardown: "t",
		Tools: []string{"none", "env"}, Env: map[string]string{"A": "preset", "B": "preset"},
		Caches: map[string]Cache{
			"same": in("mutable", "same"), "place": in("mutable", "taken"), "other": in("mutable", "other"),
		},
	}
	write(t, filepath.Join(root, "there.toml"), "")
	write(t, filepath.Join(root, "env", "bin", "tool"), "")
	spec := action.Spec{
		Argv: []string{"tool"}, Inputs: []string{"own"}, Tools: []string{"/own"}, Setup: "mine", Env: map[string]string{"A": "spec"},
		Caches: []action.CacheSpec{{Name: "same", Mode: "append-only", Path: "elsewhere"}, {Name: "third", Mode: "mutable", Path: "taken"}},
	}
	mine.Under(&spec, root)
	if want := []string{"*.py", "there.toml", "!old", "own"}; !slices.Equal(spec.Inputs, want) {
		t.Errorf("inputs are %q, want %q", spec.Inputs, want)
	}
	if want := []string{"/own", filepath.Join(root, "env")}; !slices.Equal(spec.Tools, want) {
		t.Errorf("tools are %q, want %q", spec.Tools, want)
	}
	if spec.Setup != "{ s\n} &&\n{ mine\n}" || spec.Teardown != "t" || spec.Env["A"] != "spec" || spec.Env["B"] != "preset" {
		t.Errorf("the spec is %+v", spec)
	}
	var names []string
	for _, cache := range spec.Caches {
		names = append(names, cache.Name+" "+cache.Path)
	}
	if want := []string{"same elsewhere", "third taken", "other other"}; !slices.Equal(names, want) {
		t.Errorf("caches are %q, want %q", names, want)
	}
}

func TestVersionIn(t *testing.T) {
	for output, want := range map[string]string{
		"mypy 2.4.1 (compiled: yes)\n":            "2.4.1",
		"go version go1.26.8 linux/amd64\n":       "go1.26.8",
		"ccache version 4.7.5\nFeatures: file\n":  "4.7.5",
		"pip 24.0 from /x/y.z (python 3.11)\n":    "24.0",
		"cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n":   "1.95.0",
		"black, 25.1.0 (compiled: yes)\n":         "25.1.0",
		"11.19.1\n":                               "11.19.1",
		"tool (version: 3.1, on Linux-6.18)":      "3.1",
		"Warning: something\nuv 0.9.0 (abc 2025)": "0.9.0",
	} {
		if got, err := VersionIn(output); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", output, got, err, want)
		}
	}
	for _, output := range []string{"", "\x00\x00", "no digits. here", "12"} {
		if got, err := VersionIn(output); !errors.Is(err, ErrNoVersion) {
			t.Errorf("%q: %q, %v; want an error", output, got, err)
		}
	}
}

func TestProbe(t *testing.T) {
	one := Preset{Version: []string{"tool", "--version"}}
	spec := action.Spec{Argv: []string{"env/bin/tool", "src"}, Inputs: []string{"."}, Tools: []string{"/t"}, Env: map[string]string{"A": "b"}}
	probe, err := one.Probe(spec)
	if err != nil || !slices.Equal(probe.Argv, []string{"env/bin/tool", "--version"}) || len(probe.Inputs) != 0 || len(probe.Tools) != 1 || probe.Env["A"] != "b" {
		t.Errorf("the probe is %+v, %v", probe, err)
	}
	if one.Version[0] != "tool" {
		t.Error("the preset was changed")
	}
	if _, err := (Preset{}).Probe(spec); !errors.Is(err, ErrNoVersion) {
		t.Errorf("without a version command: %v", err)
	}
}

func TestFileVersion(t *testing.T) {
	root := t.TempDir()
	one := Preset{VersionFile: "sub/package.json"}
	if _, err := one.FileVersion(root); !errors.Is(err, ErrNoVersion) || !strings.Contains(err.Error(), "sub/package.json") {
		t.Errorf("without the file: %v", err)
	}
	write(t, filepath.Join(root, "sub/package.json"), "1")
	first, err := one.FileVersion(root)
	if err != nil || len(first) != 12 {
		t.Fatalf("%q, %v", first, err)
	}
	write(t, filepath.Join(root, "sub/package.json"), "2")
	if second, _ := one.FileVersion(root); second == first {
		t.Error("another content has the same version")
	}
}

func in(mode, path string) Cache { return Cache{mode, Options{Path: path}} }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever a tool prints, what is found is one word that can stand in a key.
func TestAVersionIsOneWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		output := rapid.String().Draw(t, "output")
		version, err := VersionIn(output)
		if (err == nil) == (version == "") || strings.ContainsFunc(version, unicode.IsSpace) || !strings.Contains(output, version) {
			t.Fatalf("%q: %q, %v", output, version, err)
		}
	})
}

func TestMissedSaysWhereAToolIsLookedFor(t *testing.T) {
	root := t.TempDir()
	p := Preset{Tools: []string{".venv", "venv"}, Version: []string{"tool", "--version"}}
	want := []string{filepath.Join(root, ".venv", "bin"), filepath.Join(root, "venv", "bin")}
	if got := p.Missed(root, []string{"other"}); !slices.Equal(got, want) {
		t.Errorf("without any: %q", got)
	}
	if err := os.MkdirAll(filepath.Join(want[1], "tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := p.Missed(root, []string{"other"}); len(got) > 0 {
		t.Errorf("with one of them: %q", got)
	}
	if got := (Preset{}).Missed(root, nil); len(got) > 0 {
		t.Errorf("a preset that looks nowhere: %q", got)
	}
}
