package sandbox

// Capabilities is what this machine and this user can do, for a diagnosis.
type Capabilities struct {
	// Kernel is the release of the running kernel, such as "6.18.0".
	Kernel string
	// Namespaces is nil when a sandbox can be made and run, else why not.
	Namespaces error
	// Seccomp says that system call filters can be used.
	Seccomp bool
	// MountAPI says that the kernel has the mount calls that are needed
	// (fsopen, fsconfig, fsmount, open_tree, move_mount, mount_setattr).
	MountAPI bool
	// Groups says by which version of control groups, 1 or 2, each of the limits of
	// memory, processes and processor time holds for all processes together; a
	// limit that is not there is loose, see [Limits].
	Groups map[Limit]int
}
