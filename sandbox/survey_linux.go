//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"larder/sandbox/cgroup"
)

// facts are what a plan needs to know of the host.
type facts struct {
	uid, gid  int
	openFiles uint64            // hard limit of open files
	files     map[string]bool   // sources of binds that are not directories
	real      map[string]string // sources of binds without symbolic links
	view      View              // what depends on the host's network
	sealed    []string          // parts of /proc that stay read-only where /proc is not
	arguments []region          // memory that holds the caller's command line
	group     *cgroup.Group     // of the run; nil when it needs none
}

// surveyHost looks at the host for what every run of the view of cfg needs.
// Errors about host paths are SetupErrors, as if the kernel had met them.
func surveyHost(cfg *Config) (facts, error) {
	f := facts{uid: os.Geteuid(), gid: os.Getegid(), files: map[string]bool{}, real: map[string]string{}}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return facts{}, fmt.Errorf("sandbox: read the limit of open files: %w", err)
	}
	f.openFiles = limit.Max
	f.arguments = ownArguments(os.Args)
	if cfg.Network == NetworkHost {
		f.view = networkView()
	}
	if cfg.AllowUserns && f.uid == 0 {
		f.seal("/proc")
	}
	return f, f.sources(cfg.View.Binds)
}

// seal finds what of proc is the machine's and no process's. Root's user may
// write to it by its user id alone, without any capability.
func (f *facts) seal(proc string) {
	entries, _ := os.ReadDir(proc) // without one there is nothing to protect
	for _, entry := range entries {
		isProcess := strings.Trim(entry.Name(), "0123456789") == ""
		info, err := entry.Info()
		if isProcess || err != nil || !info.IsDir() && info.Mode().Perm()&0o222 == 0 || info.Mode()&fs.ModeSymlink != 0 {
			continue
		}
		path := filepath.Join(proc, entry.Name())
		f.sealed = append(f.sealed, path)
		f.files[path] = !info.IsDir()
	}
}

// surveyRun looks for what cfg names itself, and makes the private directories.
func (f *facts) surveyRun(cfg *Config) error {
	if err := f.sources(cfg.Binds); err != nil {
		return err
	}
	for _, bind := range cfg.Binds {
		real, err := filepath.EvalSymlinks(bind.Source)
		if err != nil {
			return hostError(stageBind, bind.Source, err)
		}
		f.real[bind.Source] = real
	}
	return makePrivate(cfg.Private)
}

// sources finds out which sources are directories.
func (f *facts) sources(binds []Bind) error {
	for _, bind := range binds {
		info, err := os.Stat(bind.Source)
		if err != nil {
			return hostError(stageBind, bind.Source, err)
		}
		f.files[bind.Source] = !info.IsDir()
	}
	return nil
}

// region is a piece of the caller's memory.
type region struct{ start, size uintptr }

// ownArguments finds where the strings of args are. Neighbours, as the kernel
// lays them out, become one region.
func ownArguments(args []string) []region {
	var found []region
	for _, arg := range args {
		next := region{uintptr(unsafe.Pointer(unsafe.StringData(arg))), uintptr(len(arg))}
		if last := len(found) - 1; last >= 0 && found[last].start+found[last].size+1 == next.start {
			found[last].size += 1 + next.size
		} else if next.size > 0 {
			found = append(found, next)
		}
	}
	return found
}

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
	if cfg.Dir != "" && !strings.HasPrefix(cfg.Dir, "/") {
		return configError("working directory %q: give an absolute path", cfg.Dir)
	}
	if cfg.Private != "" && !filepath.IsAbs(cfg.Private) {
		return configError("private directory %q: give an absolute path", cfg.Private)
	}
	return cfg.validateMounts()
}

func (cfg *Config) validateMounts() error {
	seen := map[string]bool{}
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

// validMount checks one target and its sources.
func validMount(seen map[string]bool, target string, sources ...string) error {
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
