//go:build !linux

package caches

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Settle puts the finished file at from into its place to unless something is
// there already, which then stays; the error wraps fs.ErrExist in that case.
func Settle(from, to string) error {
	err := settleByLink(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = MakeFolder(filepath.Dir(to), 0); err == nil {
			err = settleByLink(from, to)
		}
	}
	if err != nil {
		return fmt.Errorf("put %s into its place: %w", filepath.Base(to), err)
	}
	return nil
}
