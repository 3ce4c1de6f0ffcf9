package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	maxLayers   = 500 // what overlayfs takes
	privateTemp = "tmp"
	privateHome = "home"
)

// makePrivate makes the directories behind /tmp and the home.
func makePrivate(dir string) error {
	if dir == "" {
		return nil
	}
	for name, mode := range map[string]fs.FileMode{privateTemp: fs.ModeSticky | 0o777, privateHome: 0o755} {
		path := filepath.Join(dir, name)
		err := os.Mkdir(path, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return hostError(stageFile, path, err)
		}
		if err := os.Chmod(path, mode); err != nil {
			return hostError(stageFile, path, err)
		}
	}
	return nil
}

// hostError turns an error about a host path into a SetupError.
func hostError(stage, path string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return &SetupError{Stage: stage, Path: path, Errno: errno}
	}
	return fmt.Errorf("sandbox: %s %s: %w", stage, path, err)
}

// validate refuses what could not be planned.
func (cfg *Config) validate() error {
	if len(cfg.Args) == 0 || cfg.Args[0] == "" {
		return configError("no command given")
	}
	for _, list := range [][]string{cfg.Args, cfg.Env, cfg.Setup, cfg.Teardown, {cfg.Dir, cfg.Private, cfg.Hostname}} {
		for _, text := range list {
			if strings.IndexByte(text, 0) >= 0 {
				return configError("%q holds a NUL byte; remove it", text)
			}
		}
	}
	if cfg.Isolation == Directory && (cfg.Dir == "" || len(cfg.Binds)+len(cfg.Overlays) > 0) {
		return configError("a directory sandbox takes the directory to work in, and no mounts")
	}
	if cfg.Dir != "" && !strings.HasPrefix(cfg.Dir, "/") {
		return configError("working directory %q: give an absolute path", cfg.Dir)
	}
	if cfg.Private != "" && !filepath.IsAbs(cfg.Private) {
		return configError("private directory %q: give an absolute path", cfg.Private)
	}
	return cfg.validateMounts()
}

func (cfg *Config) validateMounts() error {
	seen := pathSet{}
	for _, bind := range slices.Concat(cfg.View.Binds, cfg.Binds) {
		if err := validMount(seen, bind.Target, bind.Source); err != nil {
			return err
		}
	}
	for _, overlay := range cfg.Overlays {
		layers := slices.Clone(overlay.Lowers)
		if overlay.Upper != "" {
			layers = append(layers, overlay.Upper)
		}
		if err := validMount(seen, overlay.Target, layers...); err != nil {
			return err
		}
		switch {
		case len(layers) == 0:
			return configError("overlay at %s: no layers given", overlay.Target)
		case len(overlay.Lowers) > maxLayers:
			return configError("overlay at %s: %d layers, and the kernel takes %d; flatten some", overlay.Target, len(overlay.Lowers), maxLayers)
		case overlay.Upper != "" && len(overlay.Lowers) > 0 && overlay.Work == "":
			return configError("overlay at %s: an upper directory needs a work directory beside it", overlay.Target)
		}
	}
	return nil
}

// pathSet is a set of paths.
type pathSet map[string]bool

// validMount checks one target and its sources.
func validMount(seen pathSet, target string, sources ...string) error {
	switch {
	case !strings.HasPrefix(target, "/") || filepath.Clean(target) != target || target == "/":
		return configError("mount target %q: give an absolute clean path below /", target)
	case target == "/proc" || target == "/dev" || strings.HasPrefix(target, "/proc/"):
		return configError("mount target %q: the sandbox makes this one itself", target)
	case seen[target]:
		return configError("mount target %s is given twice", target)
	}
	seen[target] = true
	for _, path := range append(sources, target) {
		if !strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
			return configError("mount at %s: %q is not an absolute path", target, path)
		}
	}
	return nil
}

// candidates lists the files that name can mean, in the order to try them.
func candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	search := "/usr/local/bin:/usr/bin:/bin"
	for _, variable := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			search = value
			break
		}
	}
	var files []string
	for _, directory := range strings.Split(search, ":") {
		if strings.HasPrefix(directory, "/") {
			files = append(files, path.Join(directory, name))
		}
	}
	return files
}
