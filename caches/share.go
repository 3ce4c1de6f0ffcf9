package caches

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A store is shared by the users of a group when its root says so: the directory
// is setgid and group-writable, as after chgrp GROUP and chmod 3770. Then its
// folders are writable by the group and what is put into them is readable by
// all that come as far, whatever the umask; the root keeps everybody else out.
//
// A folder to which things are only added is sticky as well, so nobody moves or
// removes what another put there: blobs, layers, manifests. Where names are given
// to new content, as the head of a cache or the record of a result, any user may.
// What is published is a plain file or directory of who published it, with that
// user's own group, since the sandbox of an ordinary user can map no other.
const sharedRoot = fs.ModeSetgid | 0o020

// FolderKind says what is done in a folder of a store.
type FolderKind uint8

const (
	// Adding is a folder to which content is only added.
	Adding FolderKind = iota + 1
	// Swapping is a folder of files that any user replaces as a whole.
	Swapping
	// Own is a folder that others only read.
	Own
)

// kindOf says what a part of the store is for. What one writes there in place or
// replaces is advice, counters and pointers; all else is only added.
func kindOf(part string) FolderKind {
	switch part {
	case resultsFolder, logFolder, tallyFolder, usesFolder:
		return Swapping
	}
	return Adding
}

// Shared reports whether the users of a group share the store.
func (l Layout) Shared() bool { return l.isShared }

// Owner returns what the names of things begin or end with that a store keeps for
// each user by itself: "" in a private store.
func (l Layout) Owner() string {
	if !l.isShared {
		return ""
	}
	return fmt.Sprintf("-%d", os.Geteuid())
}

// inspectRoot finds out who uses the store, and refuses that of another user.
func (l *Layout) inspectRoot() error {
	info, err := os.Stat(l.root)
	if err != nil {
		return err
	}
	l.isShared = info.Mode()&sharedRoot == sharedRoot
	if owner := info.Sys().(*syscall.Stat_t).Uid; !l.isShared && int(owner) != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user with the id %d and is not shared; name another store with --store DIR, or share a new, empty one with a group: chgrp GROUP DIR, chmod 3770 DIR", l.root, owner)
	}
	return nil
}

// MakeFolder makes a folder of a store and those above it that are missing, for
// all users of the store. A folder that is there already stays as it is. One of
// kind 0 is used as the folder above it. Others see it whole or not at all.
func MakeFolder(path string, kind FolderKind) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	above, err := os.Stat(parent)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		if err = MakeFolder(parent, 0); err == nil {
			above, err = os.Stat(parent)
		}
	}
	if err != nil {
		return err
	}
	if above.Mode()&0o020 == 0 {
		err = makePrivate(path)
	} else {
		err = makeShared(path, above, kind)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// makePrivate makes a folder that only its owner writes to, whatever the umask;
// the root keeps others out. It does not hand its group down, even where the
// store lies below a directory that does: the sandbox of an ordinary user can
// map no group but the user's own.
func makePrivate(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&^fs.ModeDir != 0o755 {
		err = os.Chmod(path, 0o755)
	}
	return err
}

// makeShared gives a folder its group and mode before it has its name.
func makeShared(path string, above fs.FileInfo, kind FolderKind) error {
	mode := fs.FileMode(0o775)
	switch {
	case kind == Own:
		mode = 0o755
	case kind == Adding, kind == 0 && above.Mode()&fs.ModeSticky != 0:
		mode |= fs.ModeSticky
	}
	temp := filepath.Join(filepath.Dir(path), ".new-"+rand.Text())
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	err := errors.Join(os.Chown(temp, -1, int(above.Sys().(*syscall.Stat_t).Gid)), os.Chmod(temp, mode))
	if err == nil {
		err = Settle(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// ShareFile lets every user of the store read a file that was just opened, whatever
// the umask, and where its folder is the group's, write to it. It is for files
// that are changed in place: locks, logs and counters. What belongs to another
// user is left as it is.
func ShareFile(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if int(stat.Uid) != os.Geteuid() {
		return nil
	}
	above, err := os.Stat(filepath.Dir(file.Name()))
	if err != nil || above.Mode()&0o020 == 0 {
		return nil // private; or gone, which the caller will see
	}
	if stat.Nlink > 1 {
		return fmt.Errorf("share %s: it is a link to a file elsewhere; remove it", file.Name())
	}
	if group := above.Sys().(*syscall.Stat_t).Gid; group != stat.Gid {
		if err := file.Chown(-1, int(group)); err != nil {
			return fmt.Errorf("share %s: %w", file.Name(), err)
		}
	}
	if info.Mode().Perm() == 0o664 {
		return nil
	}
	if err := file.Chmod(0o664); err != nil {
		return fmt.Errorf("share %s: %w", file.Name(), err)
	}
	return nil
}
