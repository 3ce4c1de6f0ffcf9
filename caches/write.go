package caches

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Replace puts the finished file or directory at from into its place to, by
// one rename. It and [Settle] are the only functions of larder that rename
// stored data, so what a reader finds at to is always whole. It makes the parent of to when
// that is missing. Nothing is flushed to the disk here: what may be lost in a
// power cut is found by its digest or its boot mark.
func Replace(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, syscall.ENOENT) {
		if err = MakeFolder(filepath.Dir(to), 0); err == nil {
			err = os.Rename(from, to)
		}
	}
	if err != nil {
		return fmt.Errorf("put %s into its place: %w", filepath.Base(to), err)
	}
	return nil
}

// WriteFile replaces the file at path, which must be inside the store, by data:
// a reader sees the old content or the new, never a part. A crash leaves at
// most a file under Temp.
func (l Layout) WriteFile(path string, data []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(l.Temp(), "write-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Close())
	if err == nil {
		err = Replace(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// settleByLink is Settle by a hard link, which never replaces either.
func settleByLink(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
