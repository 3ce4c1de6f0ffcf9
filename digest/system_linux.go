package digest

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// modeBits is a mode as the kernel's structures have it.
func modeBits(mode uint32) uint32 { return mode }

// isRemote reports whether the file system of fd may have another clock.
func isRemote(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return true
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC:
		return true
	}
	return false
}

// nextName reads the first record of a getdents64 buffer: the name, the type of
// the file, and the length of the record.
func nextName(record []byte) (name []byte, kind uint8, length int) {
	const lengthAt, kindAt, nameAt = 16, 18, 19
	length = int(binary.NativeEndian.Uint16(record[lengthAt:]))
	return untilNUL(record[nameAt:length]), record[kindAt], length
}
