//go:build amd64 || arm64

package sandbox

import (
	"os"
	"strings"
)

// SystemView shows the system directories of the host read-only: /usr and its
// relatives, and of /etc what programs and libraries need to work, without
// accounts, keys or the configuration of the network. A host with merged
// directories (/bin a link to /usr/bin) looks the same inside. It reads the
// host at each call; the result can be used for any number of runs.
func SystemView() View {
	var v View
	for _, path := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		v.show(path)
	}
	for _, name := range settingDirectories() {
		v.show("/etc/" + name)
	}
	for _, name := range settingFiles() {
		v.copy("/etc/" + name)
	}
	for _, name := range names("/etc") {
		if strings.HasPrefix(name, "java") || strings.HasPrefix(name, "python3") {
			v.show("/etc/" + name)
		}
	}
	return v
}

// names lists a directory; one that cannot be read has nothing to show.
func names(directory string) []string {
	file, err := os.Open(directory)
	if err != nil {
		return nil
	}
	defer file.Close()
	list, _ := file.Readdirnames(-1)
	return list
}

// settingDirectories are shown whole. Directories that may hold private keys,
// such as ssl and pki, are not among them, only what they have for everybody.
func settingDirectories() []string {
	return []string{
		"alternatives", "ca-certificates", "ssl/certs", "pki/tls/certs", "pki/ca-trust", "crypto-policies",
		"ld.so.conf.d", "fonts", "perl", "groovy", "maven",
	}
}

// settingFiles are small, so that a copy costs less than a mount.
func settingFiles() []string {
	return []string{
		"ld.so.cache", "ld.so.conf", "ssl/openssl.cnf", "os-release", "debian_version", "lsb-release",
		"localtime", "timezone", "locale.alias", "locale.conf", "mime.types", "protocols", "services", "profile",
	}
}

// show adds what is at path, when there is something: a link as a link, a
// directory as a bind.
func (v *View) show(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return // the host has none, so the sandbox has none
	}
	if info.Mode()&os.ModeSymlink != 0 {
		v.link(path)
		return
	}
	v.Binds = append(v.Binds, Bind{Source: path, Target: path})
}

func (v *View) link(path string) {
	if to, err := os.Readlink(path); err == nil {
		v.Symlinks = append(v.Symlinks, Symlink{Path: path, To: to})
	}
}

// copy adds a file that everybody may read, when there is one: a small one by
// its content, a large one as a bind.
func (v *View) copy(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	if info.Mode()&os.ModeSymlink != 0 {
		v.link(path)
		return
	}
	switch {
	case !info.Mode().IsRegular() || info.Mode()&0o004 == 0:
	case info.Size() > largestCopy:
		v.Binds = append(v.Binds, Bind{Source: path, Target: path})
	default:
		v.copyContent(path)
	}
}

func (v *View) copyContent(path string) {
	if content, err := os.ReadFile(path); err == nil {
		v.Files = append(v.Files, File{Path: path, Content: content})
	}
}

// largestCopy is the size from which a mount costs less than a copy.
const largestCopy = 4096

// networkView is what a process needs to use the network of the host.
func networkView() View {
	var v View
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		v.copyContent(path)
	}
	return v
}
