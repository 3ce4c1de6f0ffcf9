//go:build amd64 || arm64

package sandbox

import (
	"path"
	"slices"
	"strings"
)

// mountKind says how a mount is made.
type mountKind uint8

const (
	mountBind mountKind = iota
	mountDevice
	mountOverlay
	mountListedOverlay // an overlay for a kernel that takes its layers in a list
	mountTmpfs
	mountProc
	mountSealed // a part of /proc again, read-only
	mountPts
)

// mount is one mount of the sandbox, whatever the config called it.
type mount struct {
	kind     mountKind
	target   string
	source   string // of a bind or a device
	file     bool   // the source is not a directory
	writable bool
	overlay  Overlay
	options  [][2]string // of a tmpfs
}

// tree is the root of a sandbox: what is made in it, then what is mounted.
type tree struct {
	directories []string
	symlinks    []Symlink
	files       []File
	mounts      []mount
}

// with adds to a base what cfg mounts itself, so that all mounts are in an order
// in which each finds the ones above it in place. The base stays as it is.
func (base tree) with(cfg *Config, f facts) tree {
	t := base
	t.mounts = append(slices.Clip(t.mounts), privateMounts(cfg)...)
	t.bind(cfg.Binds, f)
	for _, overlay := range cfg.Overlays {
		t.mounts = append(t.mounts, overlayMount(overlay, f))
	}
	t.arrange(f)
	return t
}

// layOutBase is the part of a layout that is the same for every run that sees
// the same of the host.
func layOutBase(cfg *Config, f facts) tree {
	var t tree
	t.symlinks = append(deviceLinks(), cfg.View.Symlinks...)
	t.files = slices.Concat(identityFiles(cfg), cfg.View.Files, f.view.Files)
	t.directories = append(t.directories, WorkDir, HomeDir, "/tmp", "/proc", "/dev/pts", "/dev/shm", "/sys", "/run", "/var/tmp")
	t.mounts = append(deviceMounts(), procMounts(cfg, f)...)
	t.bind(cfg.View.Binds, f)
	t.arrange(f)
	return t
}

func (t *tree) bind(binds []Bind, f facts) {
	for _, bind := range binds {
		t.mounts = append(t.mounts, mount{kind: mountBind, target: bind.Target, source: bind.Source, file: f.sources[bind.Source].isFile, writable: bind.Writable})
	}
}

// arrange sorts the mounts, so that each comes after those above it.
func (t *tree) arrange(f facts) {
	for i := range t.mounts {
		t.mounts[i].target = t.resolve(t.mounts[i].target)
	}
	slices.SortStableFunc(t.mounts, func(a, b mount) int {
		return strings.Count(a.target, "/") - strings.Count(b.target, "/")
	})
	t.dropVisible(f)
}

// overlayMount picks the cheapest mount that means the same as the overlay.
func overlayMount(o Overlay, f facts) mount {
	switch {
	case len(o.Lowers) == 0:
		return mount{kind: mountBind, target: o.Target, source: o.Upper, writable: true}
	case len(o.Lowers) == 1 && o.Upper == "":
		return mount{kind: mountBind, target: o.Target, source: o.Lowers[0]}
	}
	return mount{kind: f.overlayKind(&o), target: o.Target, overlay: o}
}

// resolve follows the symbolic links of the root itself, so that a target
// below /lib, say, ends up below /usr/lib where these are one.
func (t *tree) resolve(target string) string {
	for range len(t.symlinks) {
		changed := false
		for _, link := range t.symlinks {
			if rest, ok := strings.CutPrefix(target, link.Path); ok && strings.HasPrefix(rest, "/") {
				target, changed = path.Join(path.Dir(link.Path), link.To, rest), true
				if path.IsAbs(link.To) {
					target = path.Join(link.To, rest)
				}
			}
		}
		if !changed {
			break
		}
	}
	return target
}

// dropVisible leaves out read-only binds that would show again what another
// bind shows at the same place already.
func (t *tree) dropVisible(f facts) {
	kept := make([]mount, 0, len(t.mounts))
	for _, m := range t.mounts {
		above := covering(kept, m.target)
		if above != nil && above.shows(&m) && f.real[m.source] == above.source+strings.TrimPrefix(m.target, above.target) {
			continue
		}
		kept = append(kept, m)
	}
	t.mounts = kept
}

// shows reports whether a read-only bind m could be a part of the bind above.
func (above *mount) shows(m *mount) bool {
	return above.kind == mountBind && !above.writable && m.kind == mountBind && !m.writable
}

// covering returns the last of mounts that target is inside of, or nil.
func covering(mounts []mount, target string) *mount {
	for i := len(mounts) - 1; i >= 0; i-- {
		if inside(target, mounts[i].target) {
			return &mounts[i]
		}
	}
	return nil
}

func inside(target, above string) bool {
	return len(target) > len(above) && target[len(above)] == '/' && target[:len(above)] == above
}

func deviceLinks() []Symlink {
	return []Symlink{
		{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"}, {"/etc/mtab", "/proc/self/mounts"},
	}
}

func deviceMounts() []mount {
	mounts := []mount{{kind: mountPts, target: "/dev/pts"}}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		mounts = append(mounts, mount{kind: mountDevice, target: "/dev/" + name, source: "/dev/" + name, file: true})
	}
	return append(mounts, memoryMount("/dev/shm", "1777"))
}

// procMounts gives /proc. Who makes user namespaces writes to files of its own
// process there.
func procMounts(cfg *Config, f facts) []mount {
	mounts := []mount{{kind: mountProc, target: "/proc", writable: cfg.AllowUserns}}
	for _, path := range f.masked {
		mounts = append(mounts, mount{kind: mountDevice, target: path, source: "/dev/null", file: true})
	}
	for _, path := range f.sealed {
		mounts = append(mounts, mount{kind: mountSealed, target: path, file: f.sources[path].isFile})
	}
	return mounts
}

// privateMounts gives /tmp and the home a place on disk, or in memory when the
// caller has none.
func privateMounts(cfg *Config) []mount {
	if cfg.Private == "" {
		return []mount{memoryMount("/tmp", "1777"), memoryMount(HomeDir, "0755")}
	}
	return []mount{
		{kind: mountBind, target: "/tmp", source: path.Join(cfg.Private, privateTemp), writable: true},
		{kind: mountBind, target: HomeDir, source: path.Join(cfg.Private, privateHome), writable: true},
	}
}

func memoryMount(target, mode string) mount {
	return mount{kind: mountTmpfs, target: target, writable: true, options: [][2]string{{"mode", mode}, {"size", "256m"}}}
}

// identityFiles are what programs ask to learn who and where they are.
func identityFiles(cfg *Config) []File {
	host := cfg.hostname()
	return []File{
		{"/etc/passwd", []byte("larder:x:1000:1000:larder:" + HomeDir + ":/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n")},
		{"/etc/group", []byte("larder:x:1000:\nnogroup:x:65534:\n")},
		{"/etc/hostname", []byte(host + "\n")},
		{"/etc/hosts", []byte("127.0.0.1 localhost " + host + "\n::1 localhost " + host + "\n")},
		{"/etc/nsswitch.conf", []byte("passwd: files\ngroup: files\nhosts: files dns\n")},
	}
}

func (cfg *Config) hostname() string {
	if cfg.Hostname != "" {
		return cfg.Hostname
	}
	return UserName
}
