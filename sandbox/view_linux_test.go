//go:build amd64 || arm64

package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSystemViewHoldsNoSecrets(t *testing.T) {
	v := SystemView()
	var shown []string
	for _, bind := range v.Binds {
		if bind.Writable || bind.Source != bind.Target {
			t.Errorf("bind %+v is not a read-only copy of the host", bind)
		}
		shown = append(shown, bind.Target)
	}
	for _, file := range v.Files {
		shown = append(shown, file.Path)
	}
	if len(shown) == 0 {
		t.Fatal("nothing is shown")
	}
	for _, secret := range []string{"/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/sudoers", "/etc/ssl/private", "/etc/pki/tls/private", "/root", "/home", "/run", "/sys", "/opt", "/etc/resolv.conf", "/var"} {
		for _, path := range shown {
			if path == secret || strings.HasPrefix(path, secret+"/") || strings.HasPrefix(secret, path+"/") {
				t.Errorf("%s shows %s", path, secret)
			}
		}
	}
}

func TestSystemViewLooksLikeTheHost(t *testing.T) {
	requireSandbox(t)
	for _, path := range []string{"/bin", "/lib64", "/etc/localtime", "/etc/os-release"} {
		want, err := os.Readlink(path)
		if err != nil {
			continue // no link on this host
		}
		shell(t, "readlink "+path).want(t, 0, want)
	}
	certificates := "/etc/ssl/certs/ca-certificates.crt"
	if info, err := os.Stat(certificates); err == nil && info.Size() > 0 {
		shell(t, "test -s "+certificates+" && echo there").want(t, 0, "there")
	}
}

func TestCopyTakesOnlyWhatEverybodyMayRead(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"open": 0o644, "closed": 0o640} {
		path := filepath.Join(dir, name)
		write(t, path, "text")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", largestCopy+1))
	if err := os.Symlink("open", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var v View
	for _, name := range []string{"open", "closed", "large", "link", "missing"} {
		v.copy(filepath.Join(dir, name))
	}
	if len(v.Files) != 1 || string(v.Files[0].Content) != "text" || len(v.Binds) != 1 || len(v.Symlinks) != 1 || v.Symlinks[0].To != "open" {
		t.Errorf("got %+v", v)
	}
}
