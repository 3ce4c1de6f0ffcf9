package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"larder/executor/local"
)

// longestConfig bounds the bytes of a larder.toml.
const longestConfig = 1 << 20

// errForeign marks a configuration file that somebody put there who has no say
// in this root.
var errForeign = errors.New("not trusted")

// readTrusted reads a configuration file that belongs to the user, to root, or
// to whoever owns the root that is worked on or its repository: anybody may put a
// larder.toml into a folder such as /tmp, above what others have there. For the
// user's own file, which is in no root, root is "". A file that is not there or
// not readable is empty.
func readTrusted(path, root string) ([]byte, error) {
	// The link counts too: it chooses the file.
	info, err := os.Lstat(path)
	if err == nil {
		err = checkOwner(info, path, root)
	}
	if err != nil {
		return nil, unlessHidden(err)
	}
	// Opening a FIFO would wait for somebody to write to it.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unlessHidden(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if err := checkOwner(info, path, root); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, longestConfig+1))
	if len(data) > longestConfig {
		err = fmt.Errorf("%s is larger than %s", path, binarySize(longestConfig))
	}
	return data, err
}

// unlessHidden drops the errors of a file that is not there for this user.
func unlessHidden(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

func checkOwner(info fs.FileInfo, path, root string) error {
	owner := ownerOf(info)
	if root == "" || owner == 0 || owner == os.Geteuid() || slices.Contains(ownersOf(root), owner) {
		return nil
	}
	return fmt.Errorf("%s belongs to the user with the id %d and is %w", path, owner, errForeign)
}

// ownersOf lists who owns the root and its repository.
func ownersOf(root string) (owners []int) {
	for _, folder := range []string{root, local.RepositoryOf(root)} {
		if info, err := os.Stat(folder); err == nil {
			owners = append(owners, ownerOf(info))
		}
	}
	return owners
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
