//go:build !linux

package caches

import (
	"errors"
	"fmt"
)

// Sync would flush the store to the disk; here it cannot, and says so.
func (l Layout) Sync() error {
	return fmt.Errorf("sync the store: %w on this system", errors.ErrUnsupported)
}
