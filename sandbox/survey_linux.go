//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"larder/sandbox/cgroup"
)

// facts are what a plan needs to know of the host.
type facts struct {
	uid, gid  int
	openFiles uint64            // hard limit of open files
	sources   map[string]source // of binds
	real      map[string]string // sources of binds without symbolic links
	view      View              // what depends on the host's network
	masked    []string          // parts of /proc that are empty
	sealed    []string          // parts of /proc that stay read-only where /proc is not
	group     *cgroup.Group     // of the run; nil when it needs none
	isListed  bool              // the kernel takes the layers of an overlay in a list only
}

// source is what is at a path of the host.
type source struct {
	isFile        bool // not a directory
	device, inode uint64
}

// surveyHost looks at the host for what every run of the view of cfg needs.
// Errors about host paths are SetupErrors, as if the kernel had met them.
func surveyHost(cfg *Config) (facts, error) {
	f := facts{uid: os.Geteuid(), gid: os.Getegid(), sources: map[string]source{}, real: map[string]string{}}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return facts{}, fmt.Errorf("sandbox: read the limit of open files: %w", err)
	}
	f.openFiles = limit.Max
	if cfg.Isolation == Directory {
		return f, nil
	}
	f.isListed = isBefore(kernelRelease(), 6, 7)
	if cfg.Network == NetworkHost {
		f.view = networkView()
	}
	if !cfg.AllowUserns {
		f.mask("/proc")
	} else if f.uid == 0 {
		f.seal("/proc")
	}
	return f, f.surveyBinds(cfg.View.Binds)
}

// kernelRelease is the release of the running kernel, such as "6.18.0", or "".
func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// isBefore reports whether a release is older than a version; one that cannot be read
// is not.
func isBefore(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	isMajor, err := strconv.Atoi(first)
	isMinor, other := strconv.Atoi(second)
	return err == nil && other == nil && (isMajor < major || isMajor == major && isMinor < minor)
}

// apart gives facts that one run may add to.
func (f facts) apart() facts {
	f.sources, f.real = maps.Clone(f.sources), maps.Clone(f.real)
	return f
}

// mask finds what of proc tells this user about keys and about the programs of
// others, some of it to root only. Each costs a mount. With user namespaces it
// stays, as the kernel allows none of them a /proc of its own when something of
// this one is covered.
func (f *facts) mask(proc string) {
	for _, name := range []string{"keys", "timer_list", "latency_stats", "sched_debug"} {
		path := filepath.Join(proc, name)
		if unix.Access(path, unix.R_OK) == nil {
			f.masked = append(f.masked, path)
		}
	}
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
		f.sources[path] = source{isFile: !info.IsDir()}
	}
}

// surveyRun looks for what cfg names itself, and makes the private directories.
func (f *facts) surveyRun(cfg *Config) error {
	f.isListed = f.isListed || cfg.listsLayers
	if err := f.surveyBinds(cfg.Binds); err != nil {
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

// surveyBinds looks at the sources.
func (f *facts) surveyBinds(binds []Bind) error {
	for _, bind := range binds {
		info, err := os.Stat(bind.Source)
		if err != nil {
			return hostError(stageBind, bind.Source, err)
		}
		found := source{isFile: !info.IsDir()}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			found.device, found.inode = stat.Dev, stat.Ino
		}
		f.sources[bind.Source] = found
	}
	return nil
}
