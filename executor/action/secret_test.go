package action

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"larder/caches"
)

func TestSecretsAreRefused(t *testing.T) {
	home := filepath.Join(t.TempDir(), "me")
	for _, folder := range []string{".ssh", ".config/app", ".aws", "src/.ssh"} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(home, ".ssh"), filepath.Join(home, "src/keys")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		action Action
		want   string // "" is no refusal
	}{
		"the place":            {Action{Tools: []string{home + "/.ssh"}}, "it is in " + home + "/.ssh"},
		"a file in it":         {Action{Payloads: []Payload{{Host: home + "/.gnupg/keys"}}}, "it is in " + home + "/.gnupg"},
		"a link to it":         {Action{Tools: []string{home + "/src/keys"}}, "it is in " + home + "/.ssh"},
		"what holds it":        {Action{Tools: []string{home}}, "it holds " + home + "/.ssh"},
		"everything":           {Action{Tools: []string{"/"}}, "it holds"},
		"an input":             {Action{Root: home, Inputs: []string{"/.aws/credentials"}}, "-i only the files"},
		"all of the home":      {Action{Root: home, Inputs: []string{"."}}, "it holds"},
		"a root in it":         {Action{Root: home + "/.aws", Inputs: []string{"."}}, "it is in"},
		"the machine's own":    {Action{Tools: []string{"/etc/ssh"}}, "it is in /etc/ssh"},
		"a file of that name":  {Action{Root: home + "/src", Inputs: []string{".ssh"}}, ""},
		"beside it":            {Action{Tools: []string{home + "/.ssh2"}}, ""},
		"what could hold some": {Action{Tools: []string{home + "/.config"}}, ""},
		"left out":             {Action{Root: home, Inputs: []string{"src", "!.ssh", "*.py"}}, ""},
	} {
		err := c.action.RefuseSecrets(home, filepath.EvalSymlinks)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case c.want != "" && (!errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestLinksAreFollowedAsEver: what is remembered of folders changes nothing, for
// paths through links of every kind, and for those that lead nowhere.
func TestLinksAreFollowedAsEver(t *testing.T) {
	top := t.TempDir()
	for _, folder := range []string{"a/b", "c"} {
		if err := os.MkdirAll(filepath.Join(top, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"a/c": "../c", "c/a": top + "/a", "a/b/up": "..", "c/loop": "loop", "a/none": "nowhere", "c/file2": "file", "l": "a",
	} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a/file", "c/file", "a/b/file"} {
		if err := os.WriteFile(filepath.Join(top, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := rapid.SampledFrom([]string{"a", "b", "c", "l", "up", "loop", "none", "file", "file2"})
	rapid.Check(t, func(r *rapid.T) {
		s := NewSecrets(top, filepath.EvalSymlinks)
		for range 10 {
			path := filepath.Join(append([]string{top}, rapid.SliceOfN(names, 0, 5).Draw(r, "path")...)...)
			want, wrong := filepath.EvalSymlinks(path)
			if got, err := s.behind(path); (err == nil) != (wrong == nil) || err == nil && got != want {
				r.Fatalf("%s leads to %s, %v; want %s, %v", path, got, err, want, wrong)
			}
		}
	})
	if got, err := NewSecrets(top, filepath.EvalSymlinks).behind("/"); got != "/" || err != nil {
		t.Errorf("the root is %s, %v", got, err)
	}
}
