package action

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"larder/caches"
)

// homeSecrets is where programs keep keys and passwords below a home directory.
func homeSecrets() []string {
	return []string{
		".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".config/gh", ".kube", ".docker/config.json", ".netrc",
		".git-credentials", ".npmrc", ".pypirc", ".cargo/credentials.toml", ".password-store", ".local/share/keyrings",
	}
}

// systemSecrets is where a machine keeps its own.
func systemSecrets() []string {
	return []string{"/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/ssl/private", "/etc/sudoers", "/etc/krb5.keytab"}
}

// RefuseSecrets refuses tools, payloads and inputs that are one of the
// well-known places of keys and passwords, lie in one, or hold one that is there:
// a program that is not trusted, or a result that is shared, has no use for them.
// home is the caller's home directory, root's counts for everybody. Inputs by
// wildcards are not looked at. All that is refused is in the error, with what to
// do. resolve follows the links of a payload's path, as filepath.EvalSymlinks does:
// what is on another machine may never answer.
func (a *Action) RefuseSecrets(home string, resolve func(path string) (string, error)) error {
	var places []string
	for _, one := range []string{home, "/root"} {
		for _, name := range homeSecrets() {
			places = append(places, filepath.Join(one, name))
		}
	}
	s := secrets{append(places, systemSecrets()...), filepath.EvalSymlinks}
	remote := secrets{s.places, resolve}
	var refused []error
	for _, path := range a.Tools {
		refused = append(refused, s.refuse("tool", path, "name with --tool only the folder or the program that the command needs"))
	}
	for _, p := range a.Payloads {
		refused = append(refused, remote.refuse("payload", p.Host, "name with --payload only the folder that the command needs"))
	}
	for _, pattern := range a.Inputs {
		if strings.HasPrefix(pattern, "!") || strings.ContainsAny(pattern, `*?[\`) {
			continue
		}
		refused = append(refused, s.refuse("input", filepath.Join(a.Root, pattern), "name with -i only the files that the command needs, or pass one value with -e"))
	}
	return errors.Join(refused...)
}

// secrets are absolute paths that no command needs to see.
type secrets struct {
	places  []string
	resolve func(path string) (string, error)
}

// refuse looks at a path as it was given and at where its links lead to.
func (s secrets) refuse(what, path, advice string) error {
	real, err := s.resolve(path)
	if err != nil {
		real = path
	}
	for _, place := range s.places {
		for _, named := range []string{path, real} {
			switch {
			case isBelow(named, place):
				return fmt.Errorf("%w %s %s: it is in %s, where keys and passwords are, which the sandbox does not show; %s", caches.ErrInvalid, what, path, place, advice)
			case isBelow(place, named) && isThere(place):
				return fmt.Errorf("%w %s %s: it holds %s, where keys and passwords are, which the sandbox does not show; %s", caches.ErrInvalid, what, path, place, advice)
			}
		}
	}
	return nil
}

func isBelow(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
