package digest

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// modeBits is a mode as the kernel's structures have it.
func modeBits(mode uint32) uint16 { return uint16(mode) }

// isRemote reports whether the file system of fd may have another clock.
func isRemote(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) != nil || st.Flags&unix.MNT_LOCAL == 0
}

// nextName reads the first record of a listing: the name, the type of the file,
// and the length of the record.
func nextName(record []byte) (name []byte, kind uint8, length int) {
	const lengthAt, kindAt, nameAt = 16, 20, 21
	length = int(binary.NativeEndian.Uint16(record[lengthAt:]))
	return untilNUL(record[nameAt:length]), record[kindAt], length
}
