//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// planned makes the plan of cfg as for the user 1234 of a host where every
// source is a directory, unless it is named file.
func planned(t testing.TB, cfg Config) *program {
	t.Helper()
	if cfg.Args == nil {
		cfg.Args = []string{"/command"}
	}
	f := facts{uid: 1234, gid: 4321, openFiles: 5000, sources: map[string]source{"/file": {isFile: true}}, real: map[string]string{}, isListed: cfg.listsLayers}
	for _, bind := range cfg.Binds {
		f.real[bind.Source] = bind.Source
	}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	p, err := newProgram()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.arena.free)
	p.planApart(&cfg, f.uid, f.gid)
	p.planBase(&cfg, f, cfg.targets())
	if !p.planRun(&cfg, f) {
		t.Fatal("the second part does not fit the first")
	}
	return p
}

// words gives the calls of a number as text: the stage and all strings that
// the plan points to.
func words(p *program, number uintptr) []string {
	var found []string
	for _, s := range p.setup {
		if s.nr != number {
			continue
		}
		line := []string{s.stage}
		for _, arg := range s.args {
			if text := pointedTo(p, arg.value); text != "" {
				line = append(line, text)
			}
		}
		found = append(found, strings.Join(line, "|"))
	}
	return found
}

// pointedTo reads the string or the bytes at an address of the plan's memory,
// up to the first NUL; it is empty for a number that is no address.
func pointedTo(p *program, at uintptr) string {
	start := address(unsafe.SliceData(p.arena.memory)).value
	if at < start || at >= start+uintptr(p.arena.used) {
		return ""
	}
	text, _, _ := strings.Cut(string(p.arena.memory[at-start:p.arena.used]), "\x00")
	return text
}

func TestPlanMapsOneUser(t *testing.T) {
	got := words(planned(t, Config{}), unix.SYS_WRITE)
	for _, want := range []string{"deny", "1000 1234 1", "1000 4321 1"} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "map the user|"+want) }) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

func TestPlanOfAnOverlay(t *testing.T) {
	cfg := Config{Overlays: []Overlay{{Target: "/build", Lowers: []string{"/l1", "/l2"}, Upper: `/u\p`, Work: "/w"}}}
	var got []string
	for _, line := range words(planned(t, cfg), unix.SYS_FSCONFIG) {
		if rest, ok := strings.CutPrefix(line, stageOverlay+"|"); ok {
			got = append(got, rest)
		}
	}
	want := []string{"lowerdir+|/l1", "lowerdir+|/l2", `upperdir|/u\\p`, "workdir|/w", "volatile", "userxattr", "index|off"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlanOfAListedOverlay(t *testing.T) {
	p := planned(t, Config{Overlays: []Overlay{{Target: "/build", Lowers: []string{"/l1", "/l:2"}, Upper: `/u\p`, Work: "/w"}}, listsLayers: true})
	const at = "/proc/self/fd/"
	want := stageOverlay + "|overlay|/l:2|overlay|lowerdir=" + at + "99:" + at + "100,userxattr,index=off,volatile,upperdir=" + at + "101,workdir=" + at + "102"
	if got := words(p, unix.SYS_MOUNT); !slices.Equal(got, []string{want}) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, line := range words(p, unix.SYS_FSCONFIG) {
		if strings.HasPrefix(line, stageOverlay) {
			t.Errorf("an overlay is configured besides: %s", line)
		}
	}
}

// What mount takes is a page; the kernel cuts off the rest and mounts what is left.
func TestListThatIsTooLong(t *testing.T) {
	for layers, want := range map[int]mountKind{200: mountListedOverlay, 300: mountOverlay} {
		o := Overlay{Lowers: slices.Repeat([]string{"/l"}, layers)}
		if got := (facts{isListed: true}).overlayKind(&o); got != want {
			t.Errorf("%d layers: got kind %d, want %d, for a list of %d bytes", layers, got, want, len(listOf(&o)))
		}
	}
}

func TestKernelReleases(t *testing.T) {
	for release, want := range map[string]bool{
		"6.1.0-56-cloud-amd64": true, "5.15.0": true, "6.6-rc1": true, "6.6": true, "4.18.0-1.el8": true,
		"6.7.0": false, "6.12.107+deb13": false, "6.18": false, "7.0.1": false, "": false, "odd": false, "6.x": false,
	} {
		if got := isBefore(release, 6, 7); got != want {
			t.Errorf("%q is before 6.7: %v", release, got)
		}
	}
}

func TestPlanNamesNoLongPath(t *testing.T) {
	long := "/" + strings.Repeat("x", 255)
	cfg := Config{Overlays: []Overlay{{Target: "/build", Lowers: []string{long, "/l2"}}}}
	for _, line := range words(planned(t, cfg), unix.SYS_FSCONFIG) {
		if len(line) > 255 {
			t.Errorf("an option of %d bytes", len(line))
		}
	}
}

func TestPlanOfTheNetwork(t *testing.T) {
	if n := len(words(planned(t, Config{}), unix.SYS_SOCKET)); n != 1 {
		t.Errorf("own network: %d sockets", n)
	}
	if n := len(words(planned(t, Config{Network: NetworkHost}), unix.SYS_SOCKET)); n != 0 {
		t.Errorf("host network: %d sockets", n)
	}
	for _, c := range []struct {
		kept    bool
		network Network
		want    bool
	}{{false, NetworkNone, true}, {false, NetworkHost, false}, {true, NetworkNone, false}} {
		p := program{kept: c.kept}
		if made := p.ownNamespaces(&Config{Network: c.network})&unix.CLONE_NEWNET != 0; made != c.want {
			t.Errorf("%+v: process 1 makes a network namespace: %v", c, made)
		}
	}
}

func targets(tree tree) []string {
	var list []string
	for _, m := range tree.mounts {
		list = append(list, m.target)
	}
	return list
}

func TestLayOut(t *testing.T) {
	cfg := Config{
		View:  View{Symlinks: []Symlink{{"/lib", "usr/lib"}, {"/abs", "/opt/abs"}}, Binds: []Bind{{Source: "/usr", Target: "/usr"}}},
		Binds: []Bind{{Source: "/usr/lib/jvm", Target: "/usr/lib/jvm"}, {Source: "/usr/share/w", Target: "/usr/share/w", Writable: true}, {Source: "/opt/x", Target: "/lib/x"}, {Source: "/y", Target: "/abs/y"}},
	}
	f := facts{real: map[string]string{"/usr/lib/jvm": "/usr/lib/jvm", "/usr/share/w": "/usr/share/w", "/opt/x": "/opt/x", "/y": "/y"}}
	got := targets(layOutBase(&cfg, f).with(&cfg, f))
	for place, want := range map[string]bool{"/usr": true, "/usr/lib/jvm": false, "/usr/share/w": true, "/usr/lib/x": true, "/opt/abs/y": true, "/lib/x": false} {
		if slices.Contains(got, place) != want {
			t.Errorf("%s is a mount: %v, in %q", place, !want, got)
		}
	}
}

func TestMountsComeAfterThoseAboveThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`(/[ab]){1,5}`), 0, 12, rapid.ID[string]).Draw(t, "targets")
		var cfg Config
		for i, name := range names {
			cfg.Binds = append(cfg.Binds, Bind{Source: fmt.Sprint("/source", i), Target: name})
		}
		got := targets(layOutBase(&cfg, facts{}).with(&cfg, facts{real: map[string]string{}}))
		for i, above := range got {
			for _, earlier := range got[:i] {
				if strings.HasPrefix(earlier, above+"/") {
					t.Fatalf("%s is mounted before %s", earlier, above)
				}
			}
		}
		for _, name := range names {
			if !slices.Contains(got, name) {
				t.Fatalf("%s is not mounted", name)
			}
		}
	})
}

func TestStepsUseRegistersThatAreSet(t *testing.T) {
	file := Bind{Source: "/file", Target: "/build/a/file"}
	p := planned(t, Config{Setup: []string{"x"}, Terminal: true, Binds: []Bind{file}, Overlays: []Overlay{{Target: "/build", Lowers: []string{"/l"}, Upper: "/" + strings.Repeat("u", 300), Work: "/w"}}})
	for _, steps := range [][]step{p.setup, p.stages[stageSetup].steps, p.stages[stageCommand].steps} {
		set := map[register]bool{}
		for i := range fdCount {
			set[regGiven+register(i)] = true
		}
		for i, s := range steps {
			for _, arg := range s.args {
				if arg.reg != regNone && !set[arg.reg] {
					t.Errorf("step %d (%s) uses register %d, which is empty", i, s.stage, arg.reg)
				}
			}
			if s.nr == unix.SYS_CLOSE {
				delete(set, s.args[0].reg)
			}
			if s.save != regNone {
				set[s.save] = true
			}
			if s.stage == "" {
				t.Errorf("step %d (call %d) has no stage", i, s.nr)
			}
		}
		if left := len(set) - fdCount; left > 2 {
			t.Errorf("%d descriptors are left open: %v", left, set)
		}
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		want []string
	}{
		{"/bin/x", nil, []string{"/bin/x"}},
		{"./x", []string{"PATH=/a"}, []string{"./x"}},
		{"x", []string{"PATH=/a:/b/"}, []string{"/a/x", "/b/x"}},
		{"x", []string{"PATH=/old", "PATH=/new"}, []string{"/new/x"}},
		{"x", []string{"PATH=:.:rel:/a"}, []string{"/a/x"}},
		{"x", []string{"PATH="}, nil},
		{"x", nil, []string{"/usr/local/bin/x", "/usr/bin/x", "/bin/x"}},
	} {
		if got := candidates(c.name, c.env); !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: got %q, want %q", c.name, c.env, got, c.want)
		}
	}
}

func TestAdviceForEveryKnownFailure(t *testing.T) {
	for _, stage := range []string{stageClone, stageIDs, stageRoot, stageProc, stageOverlay, StageTarget, stageBind, stageDir, stageSeccomp} {
		for errno := range advices(stage) {
			e := &SetupError{Stage: stage, Path: "/p", Errno: errno}
			if text := e.Error(); !strings.Contains(text, stage) || !strings.Contains(text, "; ") || e.Advice() == "" {
				t.Errorf("%s, %v: %q", stage, errno, text)
			}
		}
	}
}
