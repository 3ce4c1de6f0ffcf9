package payload

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestKindsOfFileSystems(t *testing.T) {
	for magic, want := range map[uint32]string{
		unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "cifs", unix.FUSE_SUPER_MAGIC: "fuse",
		unix.V9FS_MAGIC: "9p", unix.CEPH_SUPER_MAGIC: "ceph", 0x0bd00bd0: "lustre",
		unix.EXT4_SUPER_MAGIC: "local", unix.XFS_SUPER_MAGIC: "local", unix.BTRFS_SUPER_MAGIC: "local",
		unix.TMPFS_MAGIC: "local", unix.OVERLAYFS_SUPER_MAGIC: "local", 0x12345678: "local",
	} {
		if got := kindOfMagic(magic); got != want {
			t.Errorf("%#x is %s, not %s", magic, got, want)
		}
	}
}
