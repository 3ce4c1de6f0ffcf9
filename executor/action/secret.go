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

// RefuseSecrets is [Secrets.Refuse] for one action.
func (a *Action) RefuseSecrets(home string, resolve func(path string) (string, error)) error {
	return NewSecrets(home, resolve).Refuse(a)
}

// Secrets are the well-known places of keys and passwords, which no command needs
// to see. They are for the actions of one moment: what the links of folders lead
// to is looked up once. One goroutine uses them.
type Secrets struct {
	places  []string // absolute
	resolve func(path string) (string, error)
	folders map[string]string // what they are behind links
}

// NewSecrets returns the places for a caller with that home directory; root's count
// for everybody. resolve follows the links of a payload's path, as
// filepath.EvalSymlinks does: what is on another machine may never answer.
func NewSecrets(home string, resolve func(path string) (string, error)) *Secrets {
	var places []string
	for _, one := range []string{home, "/root"} {
		for _, name := range homeSecrets() {
			places = append(places, filepath.Join(one, name))
		}
	}
	return &Secrets{append(places, systemSecrets()...), resolve, map[string]string{}}
}

// Refuse refuses tools, payloads and inputs that are one of the places, lie in
// one, or hold one that is there: a program that is not trusted, or a result that
// is shared, has no use for them. Inputs by wildcards are not looked at. All that
// is refused is in the error, with what to do.
func (s *Secrets) Refuse(a *Action) error {
	var refused []error
	for _, path := range a.Tools {
		real, err := filepath.EvalSymlinks(path)
		refused = append(refused, s.refuse(named{"tool", path, real, err}, "name with --tool only the folder or the program that the command needs"))
	}
	for _, p := range a.Payloads {
		real, err := s.resolve(p.Host)
		refused = append(refused, s.refuse(named{"payload", p.Host, real, err}, "name with --payload only the folder that the command needs"))
	}
	for _, pattern := range a.Inputs {
		if strings.HasPrefix(pattern, "!") || strings.ContainsAny(pattern, `*?[\`) {
			continue
		}
		path := filepath.Join(a.Root, pattern)
		real, err := s.behind(path)
		refused = append(refused, s.refuse(named{"input", path, real, err}, "name with -i only the files that the command needs, or pass one value with -e"))
	}
	return errors.Join(refused...)
}

// behind is filepath.EvalSymlinks of a clean path. Of thousands of files in a
// folder, each costs one look.
func (s *Secrets) behind(path string) (string, error) {
	folder, name := filepath.Dir(path), filepath.Base(path)
	real, known := s.folders[folder]
	if !known {
		var err error
		if real, err = filepath.EvalSymlinks(folder); err != nil {
			return "", err
		}
		s.folders[folder] = real
	}
	at := filepath.Join(real, name)
	info, err := os.Lstat(at)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return at, err
	}
	return filepath.EvalSymlinks(path)
}

// named is a path that an action names.
type named struct {
	what, path string
	real       string // where its links lead to
	err        error  // it is not known
}

// refuse looks at a path as it was given and at where its links lead to.
func (s *Secrets) refuse(one named, advice string) error {
	paths := []string{one.path, one.real}
	if one.err != nil || one.real == one.path {
		paths = paths[:1]
	}
	for _, place := range s.places {
		for _, path := range paths {
			switch {
			case isBelow(path, place):
				return fmt.Errorf("%w %s %s: it is in %s, where keys and passwords are, which the sandbox does not show; %s", caches.ErrInvalid, one.what, one.path, place, advice)
			case isBelow(place, path) && isThere(place):
				return fmt.Errorf("%w %s %s: it holds %s, where keys and passwords are, which the sandbox does not show; %s", caches.ErrInvalid, one.what, one.path, place, advice)
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
