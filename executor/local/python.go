package local

import (
	"os"
	"path/filepath"
	"strings"
)

// pythonBehind returns the installation that a virtual environment was made
// from, with the site-packages there that the environment does not see. It
// returns "" for a path that is no virtual environment (PEP 405).
func pythonBehind(venv string) (base string, hidden []string) {
	data, err := os.ReadFile(filepath.Join(venv, "pyvenv.cfg"))
	if err != nil {
		return "", nil
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, "=")
		settings[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	home := settings["home"]
	if home == "" {
		return "", nil
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	base = filepath.Dir(home)
	if strings.EqualFold(settings["include-system-site-packages"], "true") {
		return base, nil
	}
	hidden, _ = filepath.Glob(filepath.Join(base, "lib", "python*", "site-packages"))
	return base, hidden
}

// behindShim resolves a shim of pyenv to the program that it would start,
// without starting it: by PYENV_VERSION, then .python-version in the root or
// above it, then the global version. The second value says whether path is such
// a shim; the first is empty when none of the versions has the program.
func (h host) behindShim(path string) (program string, isShim bool) {
	folder := filepath.Dir(path)
	pyenv := filepath.Dir(folder)
	versions := filepath.Join(pyenv, "versions")
	if filepath.Base(folder) != "shims" || !isDirectory(versions) {
		return "", false
	}
	for _, version := range h.pyenvVersions(pyenv) {
		candidate := filepath.Join(versions, version, "bin", filepath.Base(path))
		if isExecutable(candidate) {
			return candidate, true
		}
	}
	return "", true
}

func (h host) pyenvVersions(pyenv string) []string {
	if chosen := h.env("PYENV_VERSION"); chosen != "" {
		return strings.Split(chosen, ":")
	}
	for folder := h.root; ; folder = filepath.Dir(folder) {
		if data, err := os.ReadFile(filepath.Join(folder, ".python-version")); err == nil {
			return strings.Fields(string(data))
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	data, _ := os.ReadFile(filepath.Join(pyenv, "version"))
	return strings.Fields(string(data))
}
