package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove removes a directory of a run, such as [Config.Private] or the work
// directory of an overlay, with all that is in it. Unlike os.RemoveAll it
// gets past directories without permissions, which overlays make and processes
// may leave. A path that does not exist is no error.
func Remove(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	walkErr := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if entry == nil || !entry.IsDir() || err != nil {
			return nil // it is removed, or is reported, below
		}
		return os.Chmod(path, 0o700)
	})
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, errors.Join(err, walkErr))
	}
	return nil
}
