package payload

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func kindOf(path string) (string, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return "", fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	return kindOfMagic(uint32(stat.Type)), nil
}

// kindOfMagic names the file systems whose data is on another machine, by the
// numbers in the kernel's linux/magic.h and, for those from outside of the
// kernel, in statfs(2) or their own sources. virtiofs has the number of FUSE.
func kindOfMagic(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "cifs"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.CODA_SUPER_MAGIC:
		return "coda"
	case 0x0bd00bd0:
		return "lustre"
	case 0x19830326:
		return "beegfs"
	case 0x47504653:
		return "gpfs"
	}
	return localKind
}

// syncFileSystem flushes the file system of a directory to the disk.
func syncFileSystem(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }

// copyRange copies bytes at one offset of both files inside the kernel.
func copyRange(source, target *os.File, at, size int64) (int, error) {
	from, to := at, at
	return unix.CopyFileRange(int(source.Fd()), &from, int(target.Fd()), &to, int(size), 0)
}
