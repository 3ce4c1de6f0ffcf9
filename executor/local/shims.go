package local

import (
	"path/filepath"
	"slices"
	"strings"

	"larder/digest"
)

// largestSetting bounds the small files that version managers read. Whoever may
// write above the root can put anything in their place.
const largestSetting = 1 << 20

// behindShim resolves what a manager of versions has on PATH in the place of a
// program to the program that it would start, without starting it. The second
// value says whether path is such a thing; the first is empty when none of the
// chosen versions has the program.
func (h host) behindShim(path string) (program string, isShim bool) {
	for _, manager := range []func(string) (string, bool){h.behindPyenv, h.behindAsdf, h.behindRustup} {
		if program, isShim = manager(path); isShim {
			return program, true
		}
	}
	return "", false
}

// behindPyenv goes by PYENV_VERSION, then .python-version in the root or above
// it, then the global version.
func (h host) behindPyenv(path string) (program string, isShim bool) {
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
	if text, isThere := h.nearest(".python-version"); isThere {
		return strings.Fields(text)
	}
	data, _ := digest.ReadPlain(filepath.Join(pyenv, "version"), largestSetting)
	return strings.Fields(string(data))
}

// nearest reads the file of that name in the root, or else above it.
func (h host) nearest(name string) (text string, isThere bool) {
	for folder := h.root; ; folder = filepath.Dir(folder) {
		if data, err := digest.ReadPlain(filepath.Join(folder, name), largestSetting); err == nil {
			return string(data), true
		}
		if folder == filepath.Dir(folder) {
			return "", false
		}
	}
}

// behindAsdf goes by what the shim says of its plugins ("# asdf-plugin: NAME
// VERSION"), and for the version by ASDF_NAME_VERSION, then .tool-versions in
// the root or above it, then that of the home.
func (h host) behindAsdf(path string) (program string, isShim bool) {
	folder := filepath.Dir(path)
	installs := filepath.Join(filepath.Dir(folder), "installs")
	if filepath.Base(folder) != "shims" || !isDirectory(installs) {
		return "", false
	}
	text, err := digest.ReadPlain(path, largestSetting)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		about, isPlugin := strings.CutPrefix(line, "# asdf-plugin:")
		fields := strings.Fields(about)
		if !isPlugin || len(fields) != 2 || !slices.Contains(h.asdfVersions(fields[0]), fields[1]) {
			continue
		}
		// Some plugins have the installation in a folder of the version's.
		for _, pattern := range []string{"bin", "*/bin"} {
			found, _ := filepath.Glob(filepath.Join(installs, fields[0], fields[1], pattern, filepath.Base(path)))
			if len(found) > 0 && isExecutable(found[0]) {
				return found[0], true
			}
		}
	}
	return "", true
}

// asdfVersions are the versions of a plugin that are chosen.
func (h host) asdfVersions(plugin string) []string {
	if chosen := h.env("ASDF_" + strings.ToUpper(strings.ReplaceAll(plugin, "-", "_")) + "_VERSION"); chosen != "" {
		return strings.Fields(chosen)
	}
	ofHome, _ := digest.ReadPlain(filepath.Join(h.home, ".tool-versions"), largestSetting)
	ofRoot, _ := h.nearest(".tool-versions")
	for line := range strings.Lines(ofRoot + "\n" + string(ofHome)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == plugin {
			return fields[1:]
		}
	}
	return nil
}
