//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// eachWay runs a test with overlays as this kernel wants them, and as one before
// Linux 6.7 does.
func eachWay(t *testing.T, test func(*testing.T, func(...Overlay) func(*Config))) {
	requireOverlay(t)
	for name, listed := range map[string]bool{"one by one": false, "in a list": true} {
		t.Run(name, func(t *testing.T) {
			test(t, func(overlays ...Overlay) func(*Config) {
				return func(cfg *Config) { cfg.Overlays, cfg.listsLayers = overlays, listed }
			})
		})
	}
}

func TestOverlayTakesChanges(t *testing.T) { eachWay(t, overlayTakesChanges) }

func overlayTakesChanges(t *testing.T, mounted func(...Overlay) func(*Config)) {
	o := overlay(t, map[string]string{"kept": "old", "changed": "old", "removed": "old"})
	shell(t, "cat *; echo new >changed; rm removed; mkdir d; echo new >d/made; ls", mounted(o)).
		want(t, 0, "oldoldoldchanged\nd\nkept")
	for name, want := range map[string]string{"kept": "", "changed": "new\n", "d/made": "new\n"} {
		text, err := os.ReadFile(filepath.Join(o.Upper, name))
		if string(text) != want || (err == nil) != (want != "") {
			t.Errorf("upper %s: got %q, %v", name, text, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(o.Lowers[0], "changed")); err != nil || string(text) != "old" {
		t.Errorf("lower: got %q, %v", text, err)
	}
}

func TestManyLayersTheTopmostFirst(t *testing.T) { eachWay(t, manyLayersTheTopmostFirst) }

func manyLayersTheTopmostFirst(t *testing.T, mounted func(...Overlay) func(*Config)) {
	o := overlay(t, nil)
	o.Lowers = nil
	dir := t.TempDir()
	const layers = 120
	for i := range layers {
		layer := filepath.Join(dir, fmt.Sprintf("layer-with-a-rather-long-name-so-that-a-list-is-cut-%03d", i))
		write(t, filepath.Join(layer, "top"), fmt.Sprint(i))
		write(t, filepath.Join(layer, fmt.Sprint("own", i)), "")
		o.Lowers = append(o.Lowers, layer)
	}
	shell(t, "cat top; echo; ls | wc -l", mounted(o)).want(t, 0, "0\n121")
}

func TestLayersWithDifficultNames(t *testing.T) { eachWay(t, layersWithDifficultNames) }

func layersWithDifficultNames(t *testing.T, mounted func(...Overlay) func(*Config)) {
	for _, name := range []string{"a,b", "a:b", `a\b`, `\\,:`, "a b", "ü", strings.Repeat("long/", 60)} {
		t.Run(name[:min(len(name), 9)], func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			o := Overlay{Target: WorkDir, Lowers: []string{filepath.Join(dir, "lower"), filepath.Join(dir, "other")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
			for _, layer := range append(o.Lowers, o.Upper, o.Work) {
				if err := os.MkdirAll(layer, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(o.Lowers[0], "file"), "text")
			write(t, filepath.Join(o.Lowers[1], "other"), "text")
			shell(t, "cat file other; echo >made", mounted(o)).want(t, 0, "texttext")
			if _, err := os.Stat(filepath.Join(o.Upper, "made")); err != nil {
				t.Error(err)
			}
			if err := Remove(dir); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOverlaysWithoutAnUpperOrALower(t *testing.T) { eachWay(t, overlaysWithoutAnUpperOrALower) }

func overlaysWithoutAnUpperOrALower(t *testing.T, mounted func(...Overlay) func(*Config)) {
	one, two, upper := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(one, "a"), "1")
	write(t, filepath.Join(two, "b"), "2")
	mounts := mounted(Overlay{Target: "/one", Lowers: []string{one}}, Overlay{Target: "/both", Lowers: []string{one, two}}, Overlay{Target: "/upper", Upper: upper})
	shell(t, "cat /one/a /both/a /both/b; echo >/upper/made; for d in one both; do echo 2>/dev/null >/$d/x || echo; done", mounts).want(t, 0, "112")
	if _, err := os.Stat(filepath.Join(upper, "made")); err != nil {
		t.Error(err)
	}
}

func TestMountsInsideOfMounts(t *testing.T) {
	requireOverlay(t)
	o := overlay(t, map[string]string{"src/main": "main", "cache/hidden": ""})
	cache := overlay(t, map[string]string{"entry": "entry"})
	cache.Target = "/build/cache"
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "file")
	mounts := func(cfg *Config) {
		cfg.Overlays = []Overlay{cache, o}
		cfg.Binds = []Bind{{Source: file, Target: "/build/new/deep/file"}, {Source: filepath.Dir(file), Target: "/build/cache/more"}}
	}
	shell(t, "ls cache; cat src/main new/deep/file cache/more/file; echo new >cache/made", mounts).want(t, 0, "entry\nmore\nmainfilefile")
	if _, err := os.Stat(filepath.Join(cache.Upper, "made")); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Join(o.Upper, "cache")); err == nil && len(entries) > 0 {
		t.Errorf("the cache is in the layer above it: %v", entries)
	}
}

func TestBindsAreReadOnlyUnlessAsked(t *testing.T) {
	requireSandbox(t)
	dir := t.TempDir()
	mounts := func(cfg *Config) {
		cfg.Binds = []Bind{{Source: dir, Target: "/read"}, {Source: dir, Target: "/write", Writable: true}}
	}
	shell(t, "echo 2>/dev/null >/read/x || echo no; echo >/write/x && ls /read", mounts).want(t, 0, "no\nx")
}

func TestTargetBelowALinkOfTheRoot(t *testing.T) {
	requireSandbox(t)
	view := SystemView()
	if len(view.Symlinks) == 0 {
		t.Skip("this host has no merged directories")
	}
	shell(t, "ls /bin/sh", func(cfg *Config) { cfg.Binds = []Bind{{Source: "/bin/sh", Target: "/bin/sh"}} }).want(t, 0, "/bin/sh")
}

func TestPrivateDirectoryHoldsTempAndHome(t *testing.T) {
	requireSandbox(t)
	private := t.TempDir()
	shell(t, "echo 1 >/tmp/a; echo 2 >$HOME/b; stat -c %a /tmp $HOME; mkdir -m 0 /tmp/closed /tmp/closed/x 2>/dev/null; mkdir -p /tmp/ro/x; chmod 555 /tmp/ro",
		func(cfg *Config) { cfg.Private = private }).want(t, 0, "1777\n755")
	for name, want := range map[string]string{"tmp/a": "1\n", "home/b": "2\n"} {
		if text, err := os.ReadFile(filepath.Join(private, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if err := Remove(private); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(private); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestEmptyViewShowsOnlyWhatIsDeclared(t *testing.T) {
	requireSandbox(t)
	r := shell(t, "", asHelper(t, "attempt", "shadow"), func(cfg *Config) {
		cfg.View = View{}
		cfg.Args = []string{"/usr/bin/true"}
	})
	if r.Exec == nil || !r.Exec.NotFound() {
		t.Errorf("got %+v, %v", r.Status, r.err)
	}
}

func TestNothingElseIsMounted(t *testing.T) {
	requireSandbox(t)
	r := shell(t, "", func(cfg *Config) {
		cfg.View = View{Binds: []Bind{{Source: "/usr", Target: "/usr"}}, Symlinks: SystemView().Symlinks}
		cfg.Args = []string{"cut", "-d ", "-f5", "/proc/self/mountinfo"}
	})
	places := strings.Fields(r.out)
	slices.Sort(places)
	want := []string{"/", "/dev/full", "/dev/null", "/dev/pts", "/dev/random", "/dev/shm", "/dev/tty", "/dev/urandom", "/dev/zero", "/home/larder", "/proc", "/tmp", "/usr"}
	places = slices.DeleteFunc(places, func(place string) bool {
		return strings.HasPrefix(place, "/usr/") || strings.HasPrefix(place, "/proc/") // mounts of the host, and what is masked
	})
	if !slices.Equal(places, want) || r.err != nil {
		t.Errorf("got %q, %v; want %q", places, r.err, want)
	}
}
