package digest

import (
	"context"

	"golang.org/x/sys/unix"
)

// TreeState is the state of a directory as far as a copy of it can have the
// same, and how much there is to copy.
type TreeState struct {
	Digest Digest // BLAKE3
	Files  int64  // regular files
	Bytes  int64  // their sizes, holes included
	Disk   int64  // what they take on their disk, in bytes, as far as that tells
}

// IsEmpty reports whether the directory holds nothing at all.
func (s TreeState) IsEmpty() bool { return s.Digest == Of(BLAKE3, nil) }

// StateOfTree is [StateFingerprint] for a directory that is copied. Every name
// counts, those of compiled Python too. Inodes do not, since a copy has others
// and some network file systems make up new ones after each mount. Permissions
// count as a copy has them: without set-user-id and the like, and readable by
// the owner.
func StateOfTree(ctx context.Context, dir string) (TreeState, error) {
	f := fingerprinter{ctx: ctx, crew: newCrew(), tree: new(TreeState)}
	var err error
	f.tree.Digest, err = f.walk(dir, BLAKE3)
	return *f.tree, err
}

// CopiedMode returns the permissions of the copy of a file or a directory, from
// the mode that stat gives for the original.
func CopiedMode(mode uint32) uint32 {
	readable := uint32(unix.S_IRUSR)
	if mode&unix.S_IFMT == unix.S_IFDIR {
		readable |= unix.S_IXUSR
	}
	return mode&0o777 | readable
}

// asCopied counts what is copied, and takes out of st what a copy does not keep.
func (f *fingerprinter) asCopied(st unix.Stat_t) unix.Stat_t {
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		f.mu.Lock()
		f.tree.Files++
		f.tree.Bytes += st.Size
		f.tree.Disk += min(st.Size, st.Blocks*512)
		f.mu.Unlock()
	}
	copied := CopiedMode(uint32(st.Mode))
	st.Ino, st.Mode = 0, st.Mode&^0o7777|modeBits(copied)
	return st
}
