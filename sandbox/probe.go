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
	// CgroupDelegated says that the cgroup (version 2) of this process can be
	// divided further by its user.
	CgroupDelegated bool
}
