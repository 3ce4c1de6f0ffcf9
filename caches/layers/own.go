package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"larder/caches"
)

// OwnFiles gives every file in dir that has other names a copy for itself. A
// process that is not kept from the host may have put another name of a file
// where it can be written to later, and what is published is never modified.
// Nobody may be working in dir. When it fails, some files have their copies.
func OwnFiles(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Sys().(*syscall.Stat_t).Nlink < 2 {
			return err
		}
		return ownFile(path, info)
	})
	if err != nil {
		return fmt.Errorf("separate files with several names: %w", err)
	}
	return nil
}

func ownFile(path string, info fs.FileInfo) error {
	spare, err := os.MkdirTemp(filepath.Dir(path), ".larder-*")
	if err != nil {
		return err
	}
	copied := filepath.Join(spare, "copy")
	err = copyEntry(Entry{Real: path, Kind: File, Mode: info.Mode(), ModTime: info.ModTime()}, copied)
	if err == nil {
		err = caches.Replace(copied, path)
	}
	return errors.Join(err, os.RemoveAll(spare))
}
