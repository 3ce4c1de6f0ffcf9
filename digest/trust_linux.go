package digest

import "golang.org/x/sys/unix"

// Magic numbers of file systems that x/sys does not name.
const (
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)

// trustsListings reports whether the file system of the directory fd changes the
// times of a directory with every name in it, and which device that is. A file
// server's may be seen late, and a file system in user space does as it likes;
// only those are named that are known to.
func trustsListings(fd int) (device uint64, trusted bool) {
	var system unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &system) != nil || unix.Fstat(fd, &st) != nil {
		return 0, false
	}
	switch uint32(system.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, zfsMagic, bcachefsMagic:
		return uint64(st.Dev), true
	}
	return 0, false
}
