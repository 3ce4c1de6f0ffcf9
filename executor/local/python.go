package local

import (
	"path/filepath"
	"strings"

	"larder/digest"
)

// pythonBehind returns the installation that a virtual environment was made
// from, with the site-packages there that the environment does not see. It
// returns "" for a path that is no virtual environment (PEP 405).
func pythonBehind(venv string) (base string, hidden []string) {
	data, err := digest.ReadPlain(filepath.Join(venv, "pyvenv.cfg"), largestSetting)
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
