// Package layertest is for tests only: it mounts overlays for real, in a user
// namespace of their own, and writes and reads small trees.
package layertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// helperVariable tells a test binary that it was started as the mount helper.
const helperVariable = "LARDER_LAYERTEST_MOUNT"

// Mount describes an overlay mount: lower directories topmost first.
type Mount struct {
	Lowers      []string
	Upper, Work string
}

// Main runs the tests of a package that calls [Shell]: the test binary is its
// own mount helper. Call it from TestMain with m.Run.
func Main(run func() int) {
	if plan := os.Getenv(helperVariable); plan != "" {
		fmt.Fprintln(os.Stderr, "mount helper:", helper(plan))
		os.Exit(99)
	}
	os.Exit(run())
}

// Overlay reports why overlays cannot be mounted here, or nil.
func Overlay(t testing.TB) error {
	dir := t.TempDir()
	mount := Mount{[]string{filepath.Join(dir, "l")}, filepath.Join(dir, "u"), filepath.Join(dir, "w")}
	for _, path := range []string{mount.Lowers[0], mount.Upper, mount.Work} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
	}
	_, err := command(mount, ":")
	RemoveAll(t, mount.Work)
	return err
}

// NeedOverlay skips the test where overlays cannot be mounted, and fails it
// there when CI=true.
func NeedOverlay(t testing.TB) {
	t.Helper()
	err := Overlay(t)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("overlay mounts in a user namespace are needed under CI: %v", err)
	}
	if err != nil {
		t.Skipf("no overlay mounts in a user namespace: %v", err)
	}
}

// Shell mounts the overlay in new user and mount namespaces and runs script by
// sh -eu in its root. The mount is gone when Shell returns.
func Shell(t testing.TB, mount Mount, script string) string {
	t.Helper()
	out, err := command(mount, script)
	if err != nil {
		t.Fatalf("in an overlay: %v\n%s", err, out)
	}
	return out
}

// RemoveAll removes a tree that may hold directories of mode 000.
func RemoveAll(t testing.TB, path string) {
	t.Helper()
	filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		if entry != nil && entry.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	if err := os.RemoveAll(path); err != nil {
		t.Errorf("remove %s: %v", path, err)
	}
}

type plan struct {
	Mount
	Script string
}

func command(mount Mount, script string) (string, error) {
	text, err := json.Marshal(plan{mount, script})
	if err != nil {
		return "", err
	}
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), helperVariable+"="+string(text))
	command.SysProcAttr = OwnNamespaces()
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, out.String())
	}
	return out.String(), nil
}

// helper runs in the new namespaces. It returns only when it fails.
func helper(text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if err := p.mount("/mnt"); err != nil {
		return err
	}
	if err := os.Chdir("/mnt"); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return v == helperVariable+"="+text })
	return syscall.Exec("/bin/sh", []string{"sh", "-euc", p.Script}, env)
}
