package local_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"larder/executor"
	"larder/executor/action"
)

// venv makes a virtual environment with a module and a program in it.
func venv(t *testing.T, dir string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err == nil {
		var out []byte
		if out, err = exec.Command(python, "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
			t.Log(string(out))
		}
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no virtual environment can be made here: ", err)
	}
	sites, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	if err != nil || len(sites) != 1 {
		t.Fatal(sites, err)
	}
	put(t, filepath.Join(sites[0], "greeting.py"), "def main():\n    import sys\n    print('hello from', sys.prefix)\n")
	put(t, filepath.Join(dir, "bin", "hello"), "#!"+filepath.Join(dir, "bin", "python3")+"\nimport greeting\ngreeting.main()\n")
}

func TestVirtualEnvironmentsRun(t *testing.T) {
	b := newTestBench(t)
	dir := filepath.Join(b.root, ".venv")
	venv(t, dir)
	want := "hello from " + dir
	path := b.config.Path
	for _, c := range []struct {
		name, argv0 string
		tools, path []string
	}{
		{"declared", "hello", []string{".venv"}, path},
		{"on PATH", "hello", nil, append([]string{filepath.Join(dir, "bin")}, path...)},
		{"by its path", filepath.Join(dir, "bin/hello"), nil, path},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.config.Path = c.path
			b.wire()
			spec := action.Spec{Argv: []string{c.argv0}, Tools: c.tools, Inputs: []string{"."}}
			b.run(t, spec, executor.Request{}).want(t, 0, want)
		})
	}
	b.sh(t, "touch "+dir+"/x 2>&1 || echo read-only; hello", func(s *action.Spec) { s.Tools = []string{".venv"}; s.Inputs = nil }).
		want(t, 0, "touch: cannot touch '"+dir+"/x': Read-only file system\nread-only\n"+want)
}

func TestToolsWithInterpretersOfTheirOwnRun(t *testing.T) {
	b := newTestBench(t)
	home := filepath.Join(filepath.Dir(b.root), "home")
	shell := filepath.Join(home, "opt/shell/bin/mysh")
	put(t, shell, content(t, "/bin/sh"))
	put(t, filepath.Join(home, "opt/shell/lib/x"), "")
	put(t, filepath.Join(home, ".local/share/tool/run"), "#!"+shell+"\necho ran by $0 with $1\n")
	put(t, filepath.Join(home, ".local/bin/secret"), "s")
	link := filepath.Join(home, ".local/bin/tool")
	if err := os.Symlink("../share/tool/run", link); err != nil {
		t.Fatal(err)
	}
	b.config.Home, b.config.Path = home, append([]string{filepath.Dir(link)}, b.config.Path...)
	b.wire()
	spec := action.Spec{Argv: []string{"tool", "x"}}
	b.run(t, spec, executor.Request{}).want(t, 0, "ran by "+link+" with x")
	r := b.sh(t, "ls "+filepath.Dir(link))
	if r.ExitCode == 0 {
		t.Errorf("a command that is no tool of the user's sees %q", r.stdout)
	}
}

func TestKeysFollowTheTools(t *testing.T) {
	b := newTestBench(t)
	tool := filepath.Join(filepath.Dir(b.root), "sdk")
	put(t, filepath.Join(tool, "bin/tool"), "#!/bin/sh\necho one\n")
	put(t, filepath.Join(tool, "lib/data"), "1")
	spec := action.Spec{Argv: []string{"tool"}, Tools: []string{tool}}
	policy := executor.Request{Results: executor.ResultPolicy{Read: true, Write: true}}
	keys := map[string]string{}
	expect := func(what, cached, text string) {
		t.Helper()
		r := b.run(t, spec, policy).want(t, 0, text)
		if other, ok := keys[r.Key]; r.Cached != cached || ok != (cached == "local") {
			t.Errorf("%s: cached %s, want %s; the key is also that of %q", what, r.Cached, cached, other)
		}
		keys[r.Key] = what
	}
	expect("at first", "no", "one")
	expect("unchanged", "local", "one")
	put(t, filepath.Join(tool, "bin/tool"), "#!/bin/sh\necho two\n")
	expect("another program", "no", "two")
	put(t, filepath.Join(tool, "lib/data"), "2 and more")
	expect("other data beside it", "no", "two")
	put(t, filepath.Join(tool, "lib/__pycache__/x.pyc"), "written by the tool")
	put(t, filepath.Join(tool, "lib/new"), "")
	expect("a new file", "no", "two")
	expect("unchanged again", "local", "two")
}

func TestMissingToolsAreNamed(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, ":", func(s *action.Spec) { s.Tools = []string{"no/such/venv"} }).wantError(t, filepath.Join(b.root, "no/such/venv"), "--tool")
}

func TestSystemFilesAreSeenAndNotTheCallers(t *testing.T) {
	b := newTestBench(t)
	secret := filepath.Join(filepath.Dir(b.root), "secret")
	put(t, secret, "s")
	r := b.sh(t, "cat "+secret+" 2>/dev/null; ls "+b.layout.Root()+" 2>/dev/null; ls /usr/bin/env")
	if strings.TrimSpace(r.stdout) != "/usr/bin/env" {
		t.Errorf("the action sees %q", r.stdout)
	}
}
