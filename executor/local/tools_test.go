package local

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// machine is a made-up tree of folders with programs in them.
type machine struct {
	t    *testing.T
	dir  string
	host host
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, dir: dir}
	m.host = host{home: m.at("home/me"), root: m.at("home/me/src/app"), env: func(string) string { return "" }}
	for _, folder := range []string{m.host.root, m.host.home + "/bin"} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) at(path string) string { return filepath.Join(m.dir, path) }

// program writes an executable; a text without a first line of its own is taken
// for a binary.
func (m *machine) program(path, text string) string {
	m.t.Helper()
	return m.file(path, text, 0o755)
}

func (m *machine) file(path, text string, mode os.FileMode) string {
	m.t.Helper()
	full := m.at(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	return full
}

func (m *machine) link(path, target string) string {
	m.t.Helper()
	full := m.at(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(target, full); err != nil {
		m.t.Fatal(err)
	}
	return full
}

func (m *machine) path(folders ...string) {
	for _, folder := range folders {
		m.host.path = append(m.host.path, m.at(folder))
	}
}

// short writes paths of the machine without its folder.
func (m *machine) short(paths ...string) []string {
	var short []string
	for _, path := range paths {
		short = append(short, strings.TrimPrefix(path, m.dir+"/"))
	}
	return short
}

func (m *machine) visible(f found) []string {
	var paths []string
	for _, t := range f.visible {
		paths = append(paths, m.short(t.path)...)
	}
	return paths
}

// search is one case of finding a program on a made-up machine.
type search struct {
	name    string
	argv0   string
	make    func(m *machine) (declared []string)
	program string
	visible []string
	bins    []string
}

func (c search) run(t *testing.T) {
	m := newMachine(t)
	got, err := m.host.find(c.argv0, c.make(m))
	if err != nil {
		t.Fatal(err)
	}
	if program := strings.Join(m.short(got.program), ""); program != c.program {
		t.Errorf("program %q, want %q", program, c.program)
	}
	if visible := m.visible(got); !slices.Equal(visible, c.visible) {
		t.Errorf("visible %q, want %q", visible, c.visible)
	}
	if bins := m.short(got.bins...); !slices.Equal(bins, c.bins) {
		t.Errorf("joined to PATH %q, want %q", bins, c.bins)
	}
}

func TestFindGoesByPath(t *testing.T) {
	for _, c := range []search{
		{"the first on PATH", "tool", func(m *machine) []string {
			m.path("none", "one", "two")
			m.program("one/tool", "x")
			m.program("two/tool", "x")
			return nil
		}, "one/tool", []string{"one/tool"}, []string{"one"}},
		{"what is not executable is passed over", "tool", func(m *machine) []string {
			m.path("one", "two")
			m.file("one/tool", "x", 0o644)
			m.program("two/tool", "x")
			return nil
		}, "two/tool", []string{"two/tool"}, []string{"two"}},
		{"not executable anywhere", "tool", func(m *machine) []string {
			m.path("one")
			m.file("one/tool", "x", 0o644)
			return nil
		}, "one/tool", []string{"one/tool"}, []string{"one"}},
		{"a folder of that name", "tool", func(m *machine) []string {
			m.path("one", "two")
			m.program("one/tool/x", "x")
			m.program("two/tool", "x")
			return nil
		}, "two/tool", []string{"two/tool"}, []string{"two"}},
		{"a declared tool before PATH", "tool", func(m *machine) []string {
			m.path("one")
			m.program("one/tool", "x")
			m.program("sdk/bin/tool", "x")
			return []string{m.at("sdk")}
		}, "sdk/bin/tool", []string{"sdk"}, []string{"sdk/bin"}},
		{"a toolchain comes whole", "go", func(m *machine) []string {
			m.path("opt/go/bin")
			m.program("opt/go/bin/go", "x")
			m.file("opt/go/lib/x", "", 0o644)
			return nil
		}, "opt/go/bin/go", []string{"opt/go"}, []string{"opt/go/bin"}},
	} {
		t.Run(c.name, c.run)
	}
}

func TestFindTakesNoMoreThanIsNeeded(t *testing.T) {
	for _, c := range []search{
		{"~/.local/bin comes alone", "tool", func(m *machine) []string {
			m.path("home/me/.local/bin")
			m.program("home/me/.local/bin/tool", "x")
			m.file("home/me/.local/share/secret", "", 0o644)
			return nil
		}, "home/me/.local/bin/tool", []string{"home/me/.local/bin/tool"}, []string{"home/me/.local/bin"}},
		{"~/bin comes alone", "tool", func(m *machine) []string {
			m.path("home/me/bin")
			m.program("home/me/bin/tool", "x")
			m.file("home/me/lib/secret", "", 0o644)
			return nil
		}, "home/me/bin/tool", []string{"home/me/bin/tool"}, []string{"home/me/bin"}},
		{"links lead to the installation", "tool", func(m *machine) []string {
			m.path("home/me/.local/bin")
			m.program("home/me/.local/pipx/venvs/tool/bin/tool", "x")
			m.file("home/me/.local/pipx/venvs/tool/pyvenv.cfg", "", 0o644)
			m.link("home/me/.local/bin/tool", "../share/tool")
			m.link("home/me/.local/share/tool", "../pipx/venvs/tool/bin/tool")
			return nil
		}, "home/me/.local/bin/tool", []string{"home/me/.local/bin/tool", "home/me/.local/pipx/venvs/tool", "home/me/.local/share/tool"}, []string{"home/me/.local/bin"}},
		{"a loop of links", "tool", func(m *machine) []string {
			m.path("one", "two")
			m.link("one/tool", "loop")
			m.link("one/loop", "tool")
			m.program("two/tool", "x")
			return nil
		}, "two/tool", []string{"two/tool"}, []string{"two"}},
		{"a dangling link", "tool", func(m *machine) []string {
			m.path("one")
			m.link("one/tool", "gone")
			return nil
		}, "", nil, nil},
		{"relative folders of PATH do not count", "tool", func(m *machine) []string {
			m.host.path = []string{"", ".", "bin"}
			return nil
		}, "", nil, nil},
		{"a program of the action", "./tool", func(m *machine) []string {
			m.program("home/me/src/app/tool", "x")
			return nil
		}, "", nil, nil},
		{"a system program", "sh", func(m *machine) []string {
			m.host.path = []string{"/usr/bin", "/bin"}
			return nil
		}, "/usr/bin/sh", nil, nil},
	} {
		t.Run(c.name, c.run)
	}
}

func TestFindFollowsTheInterpreter(t *testing.T) {
	m := newMachine(t)
	interpreter := m.program("opt/py/bin/python", "x")
	m.file("opt/py/lib/x", "", 0o644)
	m.program("one/tool", "#! "+interpreter+" -E\nprint()\n")
	m.program("one/loop", "#!"+m.at("one/loop")+"\n")
	m.program("one/gone", "#!"+m.at("none/python")+"\n")
	m.program("one/env", "#!/usr/bin/env python3\n")
	m.path("one")
	for argv0, want := range map[string][]string{
		"tool": {"one/tool", "opt/py"}, "loop": {"one/loop"}, "env": {"one/env"},
	} {
		if got, err := m.host.find(argv0, nil); err != nil || !slices.Equal(m.visible(got), want) {
			t.Errorf("%s: visible %q, %v; want %q", argv0, m.visible(got), err, want)
		}
	}
}

func TestFindRefusesAToolThatIsNotThere(t *testing.T) {
	m := newMachine(t)
	_, err := m.host.find("sh", []string{m.at("none")})
	if err == nil || !strings.Contains(err.Error(), m.at("none")) || !strings.Contains(err.Error(), "--tool") {
		t.Errorf("%v; want an error that names the tool and what to check", err)
	}
}

func TestFindPyenvShims(t *testing.T) {
	shim := "#!/usr/bin/env bash\nexec pyenv exec\n"
	for _, c := range []struct {
		name, variable, local, above, global string
		want                                 string
	}{
		{"the global version", "", "", "", "3.10\n", "home/me/.pyenv/versions/3.10/bin/mypy"},
		{"the file of the root", "", "3.11\n", "", "3.10\n", "home/me/.pyenv/versions/3.11/bin/mypy"},
		{"a file above the root", "", "", "3.11", "3.10", "home/me/.pyenv/versions/3.11/bin/mypy"},
		{"the variable", "3.10", "3.11", "", "", "home/me/.pyenv/versions/3.10/bin/mypy"},
		{"several versions", "", "3.9\n3.11\n", "", "", "home/me/.pyenv/versions/3.11/bin/mypy"},
		{"a version without the program", "", "3.9", "", "", "later/mypy"},
		{"no version", "", "", "", "", "later/mypy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.path("home/me/.pyenv/shims", "later")
			m.program("home/me/.pyenv/shims/mypy", shim)
			m.program("later/mypy", "x")
			for _, version := range []string{"3.10", "3.11"} {
				m.program("home/me/.pyenv/versions/"+version+"/bin/mypy", "x")
				m.file("home/me/.pyenv/versions/"+version+"/lib/x", "", 0o644)
			}
			m.program("home/me/.pyenv/versions/3.9/bin/python", "x")
			for path, text := range map[string]string{"home/me/src/app/.python-version": c.local, "home/me/src/.python-version": c.above, "home/me/.pyenv/version": c.global} {
				if text != "" {
					m.file(path, text, 0o644)
				}
			}
			m.host.env = func(name string) string { return map[string]string{"PYENV_VERSION": c.variable}[name] }
			got, err := m.host.find("mypy", nil)
			if program := strings.Join(m.short(got.program), ""); err != nil || program != c.want {
				t.Errorf("program %q, %v; want %q", program, err, c.want)
			}
			if prefix := strings.TrimSuffix(c.want, "/bin/mypy"); prefix != c.want && !slices.Equal(m.visible(got), []string{prefix}) {
				t.Errorf("visible %q, want %q", m.visible(got), prefix)
			}
		})
	}
}

// Whoever may write above the root can put anything where versions are looked up.
func TestFindDoesNotWaitForAVersionThatIsAFIFO(t *testing.T) {
	m := newMachine(t)
	m.path("home/me/.pyenv/shims", "later")
	m.program("home/me/.pyenv/shims/mypy", "#!/usr/bin/env bash\nexec pyenv exec\n")
	m.file("home/me/.pyenv/version", "3.11", 0o644)
	want := m.program("home/me/.pyenv/versions/3.11/bin/mypy", "x")
	m.file("home/me/src/app/x", "", 0o644)
	if err := syscall.Mkfifo(m.at("home/me/src/.python-version"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := m.host.find("mypy", nil); err != nil || got.program != want {
		t.Errorf("%q, %v; want %q", got.program, err, want)
	}
}

func TestOutermost(t *testing.T) {
	hidden := []string{"/a/b/site"}
	for _, c := range []struct {
		given    []tool
		declared []string
		want     []tool
	}{
		{[]tool{{path: "/b"}, {path: "/a"}}, nil, []tool{{path: "/a"}, {path: "/b"}}},
		{[]tool{{path: "/a/b"}, {path: "/a"}, {path: "/ab"}}, nil, []tool{{path: "/a"}, {path: "/ab"}}},
		{[]tool{{path: "/a"}, {path: "/a"}}, nil, []tool{{path: "/a"}}},
		{[]tool{{path: "/a/b", hidden: hidden}, {path: "/a"}}, nil, []tool{{path: "/a"}}},
		{[]tool{{path: "/a/b", hidden: hidden}, {path: "/a/b"}}, nil, []tool{{path: "/a/b", hidden: hidden}}},
		{[]tool{{path: "/a/b"}, {path: "/a/b", hidden: hidden}}, nil, []tool{{path: "/a/b", hidden: hidden}}},
		{[]tool{{path: "/a/b"}, {path: "/a/b", hidden: hidden}}, []string{"/a/b"}, []tool{{path: "/a/b"}}},
		{[]tool{{path: "/a/b", hidden: hidden}, {path: "/a/b/site/x"}}, nil, []tool{{path: "/a/b", hidden: hidden}, {path: "/a/b/site/x"}}},
	} {
		if got := outermost(slices.Clone(c.given), c.declared); !reflect.DeepEqual(got, c.want) {
			t.Errorf("of %v, declared %v: %v, want %v", c.given, c.declared, got, c.want)
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	m := newMachine(t)
	m.file("repo/.git/HEAD", "", 0o644)
	m.file("repo/sub/deep/x", "", 0o644)
	m.file("repo/module/.git", "gitdir: ../.git/modules/module", 0o644)
	m.file("tree/.git", "gitdir: elsewhere", 0o644)
	m.file("hg/.hg/x", "", 0o644)
	m.link("linked", "repo/sub")
	for folder, want := range map[string]string{
		"repo": "repo", "repo/sub/deep": "repo", "repo/module": "repo/module", "tree": "tree", "hg": "hg", "linked": "repo",
	} {
		if got := RepositoryOf(m.at(folder)); got != m.at(want) {
			t.Errorf("%s: got %s, want %s", folder, got, want)
		}
	}
}

func TestPythonBehindAVirtualEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, config string
		base         string
		hidden       []string
	}{
		{"its own packages only", "home = @/opt/py/bin\nversion = 3.12\n", "opt/py", []string{"opt/py/lib/python3.12/site-packages"}},
		{"the system's too", "home=@/opt/py/bin\nInclude-System-Site-Packages = True\n", "opt/py", nil},
		{"through a link", "home = @/opt/current/bin\n", "opt/py", []string{"opt/py/lib/python3.12/site-packages"}},
		{"without a home", "version = 3.12\n", "", nil},
		{"no environment", "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.program("opt/py/bin/python3", "x")
			m.file("opt/py/lib/python3.12/site-packages/x", "", 0o644)
			m.link("opt/current", "py")
			if c.config != "" {
				m.file("venv/pyvenv.cfg", strings.ReplaceAll(c.config, "@", m.dir), 0o644)
			}
			base, hidden := pythonBehind(m.at("venv"))
			if got := strings.TrimPrefix(base, m.dir+"/"); got != c.base || !slices.Equal(m.short(hidden...), c.hidden) {
				t.Errorf("got %q, hidden %q; want %q, %q", got, m.short(hidden...), c.base, c.hidden)
			}
		})
	}
}

func TestTheBaseOfAnEnvironmentComesWithoutItsPackages(t *testing.T) {
	m := newMachine(t)
	python := m.program("opt/py/bin/python3", "x")
	m.file("opt/py/lib/python3.12/site-packages/x", "", 0o644)
	m.file("venv/pyvenv.cfg", "home = "+m.at("opt/py/bin")+"\n", 0o644)
	m.link("venv/bin/python3", python)
	m.program("venv/bin/mypy", "#!"+m.at("venv/bin/python3")+"\n")
	got, err := m.host.find("mypy", []string{m.at("venv")})
	want := []tool{{path: m.at("opt/py"), hidden: []string{m.at("opt/py/lib/python3.12/site-packages")}}, {path: m.at("venv")}}
	if err != nil || !reflect.DeepEqual(got.visible, want) {
		t.Errorf("visible %v, %v; want %v", got.visible, err, want)
	}
	whole, err := m.host.find("mypy", []string{m.at("venv"), m.at("opt/py")})
	if err != nil || len(whole.visible) != 2 || len(whole.visible[0].hidden) != 0 {
		t.Errorf("declared: visible %v, %v; want nothing hidden", whole.visible, err)
	}
}
