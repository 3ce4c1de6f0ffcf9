package caches

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Sync returns once all that was written to the store before the call is on
// the disk, by one syncfs of its file system: it takes as long as that has to
// write, for other programs too. An error says that some of it may not be.
func (l Layout) Sync() error {
	root, err := os.Open(l.root)
	if err != nil {
		return fmt.Errorf("sync the store: %w", err)
	}
	defer root.Close()
	if err := unix.Syncfs(int(root.Fd())); err != nil {
		return fmt.Errorf("sync the store: %w", err)
	}
	return nil
}
