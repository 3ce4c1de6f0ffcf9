package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/caches"
)

// buildFormat makes a larder of another format version: the folders of the store
// have that version in their names, everything else is as it is.
func buildFormat(t *testing.T, version string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		gate(t, "the go command", err)
	}
	root, place := sourcesOf(t), t.TempDir()
	layout := filepath.Join(root, "caches", "layout.go")
	text, err := os.ReadFile(layout)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), `-v1"`, `-`+version+`"`)
	if strings.Count(changed, `-`+version+`"`) < len(caches.KnownFolders()) {
		t.Fatalf("the names of the folders are not in %s any more", layout)
	}
	other, overlay, program := filepath.Join(place, "layout.go"), filepath.Join(place, "overlay.json"), filepath.Join(place, "larder")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{layout: other}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{other: []byte(changed), overlay: replace} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./cmd/larder")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a larder of format %s: %v: %s", version, err, said)
	}
	return program
}

func sourcesOf(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "go.mod"))
	}
	if err != nil {
		gate(t, "the source tree", err)
	}
	return root
}

// alternation is larders of several formats that take turns on one store.
type alternation struct {
	t        *testing.T
	store    string
	work     string
	programs map[string]string // by the version of the format
}

func (a alternation) run(version string, args ...string) string {
	a.t.Helper()
	command := exec.Command(a.programs[version], args...)
	command.Dir = a.work
	command.Env = append(os.Environ(), "LARDER_STORE="+a.store, "LARDER_BACKGROUND=off", noRaceVariable)
	out, err := command.CombinedOutput()
	if err != nil {
		a.t.Fatalf("larder of format %s: %q: %v: %s", version, args, err, out)
	}
	return string(out)
}

// noRaceVariable is noRaceSleep as a variable of the environment.
const noRaceVariable = "GORACE=" + noRaceSleep

// count runs an action that adds a word to a cache and prints how many there
// are.
func (a alternation) count(version string) string {
	return strings.TrimSpace(a.run(version, "run", "--no-cache", "--mutable", "words=words", "--", "sh", "-c", "echo word >>words/all; wc -l <words/all"))
}

func (a alternation) folders(version string) (found []string) {
	entries, err := os.ReadDir(a.store)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), "-"+version) {
			found = append(found, entry.Name())
		}
	}
	return found
}

// TestFormatsAlternateOnOneStore lets a larder of this format, of the one before
// and of the one after take turns. Each finds its own caches and results as it
// left them, whatever the others clean; and what another left is removed with
// consent only.
func TestFormatsAlternateOnOneStore(t *testing.T) {
	needSandbox(t)
	a := alternation{t, filepath.Join(t.TempDir(), "store"), t.TempDir(), map[string]string{
		"v0": buildFormat(t, "v0"), "v1": buildLarder(t), "v2": buildFormat(t, "v2"),
	}}
	versions := []string{"v0", "v1", "v2"}
	for _, want := range []string{"1", "2", "3"} {
		for _, version := range versions {
			if got := a.count(version); got != want {
				t.Fatalf("format %s has %s words after %s runs", version, got, want)
			}
			a.run(version, "run", "--", "echo", "kept")
			a.run(version, "cache", "verify", "--check-contents", "--repair")
			a.run(version, "cache", "prune")
			a.run(version, "cache", "list")
		}
	}
	before := a.folders("v0")
	info := a.run("v1", "cache", "info")
	for _, folder := range slices.Concat(before, a.folders("v2")) {
		if !strings.Contains(info, "\n"+folder+" ") || !strings.Contains(info, "to remove: larder cache prune --old-formats") {
			t.Errorf("info does not show %s with the command that removes it:\n%s", folder, info)
		}
	}
	a.run("v1", "cache", "clean", "--force") // its own only
	for version, want := range map[string]string{"v0": "4", "v1": "1", "v2": "4"} {
		if got := a.count(version); got != want {
			t.Errorf("after format v1 was cleaned, format %s has %s words, want %s", version, got, want)
		}
	}
	if len(before) == 0 || !slices.Equal(a.folders("v0"), before) {
		t.Errorf("of the folders %v are left %v", before, a.folders("v0"))
	}
	a.run("v1", "cache", "prune", "--old-formats")
	if rest := slices.Concat(a.folders("v0"), a.folders("v2")); len(rest) > 0 {
		t.Errorf("prune --old-formats left %v", rest)
	}
	for version, want := range map[string]string{"v0": "1", "v1": "2", "v2": "1"} {
		if got := a.count(version); got != want {
			t.Errorf("afterwards format %s has %s words, want %s", version, got, want)
		}
	}
}
