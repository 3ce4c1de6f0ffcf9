//go:build amd64 || arm64

package sandbox

import "golang.org/x/sys/unix"

// isFinal reports whether process 1 stays after the run. In a directory it has no memory
// of its creator to give back, nor mounts.
func (cfg *Config) isFinal() bool { return cfg.Final && cfg.Isolation == Namespaces }

// firstNamespace is the inode of the process id namespace of the machine, the same for
// all kernels (PID_NS_INIT_INO of linux/nsfs.h).
const firstNamespace = 0xEFFFFFFC

// isFirstNamespace reports whether the first process of this process id namespace is the
// machine's init, which waits for whatever is left to it. That of a container may be any
// program; what nobody waits for keeps its number until the container ends.
func isFirstNamespace() bool {
	var info unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &info) == nil && info.Ino == firstNamespace
}
