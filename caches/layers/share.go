package layers

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Owned reports whether everything in the stack is this user's, with the user's
// own group, as far as the layers themselves tell. In the sandbox of an ordinary
// user no other owner is mapped, and overlayfs refuses to copy such files up
// (EOVERFLOW): a stack of another user has to be copied to be changed.
func (s Stack) Owned() bool {
	for _, layer := range s {
		info, err := os.Lstat(layer.Path)
		if err != nil || !IsOwn(info) {
			return false
		}
	}
	return true
}

// IsOwn reports whether a file is this user's, with the user's own group.
func IsOwn(info fs.FileInfo) bool {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid) == os.Geteuid() && int(stat.Gid) == os.Getegid()
}

// MakePublic lets everybody who comes as far read what is in a private layer, as
// the other users of a shared store must once it is published. Tools often make
// their files for themselves alone. No process may write to the layer meanwhile.
func MakePublic(upper string) error {
	err := filepath.WalkDir(upper, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		switch {
		case mode.IsRegular():
			return chmodPath(path, mode|0o444|mode&0o100>>3|mode&0o100>>6, mode)
		case mode.IsDir():
			return chmodPath(path, mode|0o555|0o700, mode)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make a private layer readable: %w", err)
	}
	return nil
}
