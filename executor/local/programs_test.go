package local

import (
	"os"
	"testing"
	"time"
)

// TestProgramsAreWhereTheyWereFoundForAMoment: another one that comes first on PATH
// is seen once the moment is over, one that is gone at once.
func TestProgramsAreWhereTheyWereFoundForAMoment(t *testing.T) {
	m := newMachine(t)
	m.path("first", "second", "third")
	m.host.programs = &programs{fresh: time.Hour}
	third, second := m.program("third/tool", "x"), m.program("second/other", "x")
	finds := func(name, want string) {
		t.Helper()
		got, err := m.host.find(name, nil)
		if err != nil || got.program != want {
			t.Errorf("%s is %q, %v; want %q", name, got.program, err, want)
		}
	}
	over := func() { m.host.programs.since = time.Now().Add(-2 * time.Hour) }
	finds("tool", third)
	finds("missing", "")
	first, missing := m.program("first/tool", "x"), m.program("first/missing", "x")
	finds("tool", third)
	finds("missing", missing) // what was not there is not remembered
	finds("other", second)
	over()
	finds("tool", first)
	for _, gone := range []func() error{func() error { return os.Remove(first) }, func() error { return os.Chmod(third, 0o644) }} {
		if err := gone(); err != nil {
			t.Fatal(err)
		}
		finds("tool", third)
	}
	m.host.programs = nil
	finds("other", second)
	m.program("first/other", "x")
	finds("other", m.at("first/other"))
}

// TestWhatDependsOnTheRootIsNotRemembered: a manager of versions answers one root
// so and another otherwise, also by having no such program; a declared tool comes
// before PATH.
func TestWhatDependsOnTheRootIsNotRemembered(t *testing.T) {
	m := newMachine(t)
	m.path("pyenv/shims", "later")
	m.host.programs = &programs{fresh: time.Hour}
	m.program("pyenv/shims/python3", "x")
	one := m.program("pyenv/versions/1/bin/python3", "x")
	later, declared := m.program("later/python3", "x"), m.program("opt/tool/bin/python3", "x")
	roots := map[string]string{"1\n": one, "2\n": later}
	for range 2 {
		for version, want := range roots {
			m.file("home/me/src/app/.python-version", version, 0o644)
			got, err := m.host.find("python3", nil)
			if err != nil || got.program != want {
				t.Errorf("version %q: %q, %v; want %q", version, got.program, err, want)
			}
		}
	}
	plain := m.program("later/plain", "x")
	for _, c := range []struct {
		tools []string
		want  string
	}{{nil, plain}, {[]string{m.at("opt/tool")}, m.at("opt/tool/bin/plain")}, {nil, plain}} {
		m.program("opt/tool/bin/plain", "x")
		if got, err := m.host.find("plain", c.tools); err != nil || got.program != c.want {
			t.Errorf("with tools %v: %q, %v; want %q", c.tools, got.program, err, c.want)
		}
	}
	if got, err := m.host.find("python3", []string{m.at("opt/tool")}); err != nil || got.program != declared {
		t.Errorf("of a declared tool: %q, %v", got.program, err)
	}
}
