//go:build !linux

package caches

import (
	"os"
	"syscall"
)

// Clone returns ENOTSUP here, where files can only be cloned under a new name.
func Clone(*os.File, *os.File) error { return syscall.ENOTSUP }
