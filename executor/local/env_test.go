package local

import (
	"os"
	"path/filepath"
	"testing"
)

// A script that finds its interpreter by env brings it along.
func TestInterpreterBehindEnvIsVisible(t *testing.T) {
	dir := t.TempDir()
	sdk := filepath.Join(dir, "sdk")
	for path, content := range map[string]string{
		filepath.Join(sdk, "bin", "tool-runtime"): "\x7fELF",
		filepath.Join(sdk, "lib", "runtime.so"):   "",
		filepath.Join(dir, "scripts", "tool"):     "#!/usr/bin/env tool-runtime\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	caller := host{path: []string{filepath.Join(dir, "scripts"), filepath.Join(sdk, "bin")}, home: "/nowhere", root: dir, env: func(string) string { return "" }}
	seen, err := caller.find("tool", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !seen.shows(filepath.Join(sdk, "lib", "runtime.so")) {
		t.Errorf("visible is %v, want the whole of %s in it", seen.visible, sdk)
	}
	if len(seen.bins) < 2 || seen.bins[1] != filepath.Join(sdk, "bin") {
		t.Errorf("PATH gets %v, want the folder of the interpreter in it, where env looks", seen.bins)
	}
}
