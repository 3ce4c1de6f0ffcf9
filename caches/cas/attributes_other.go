//go:build !linux

package cas

import "os"

// dropAttributes has nothing to do where there are no overlays.
func dropAttributes(*os.File) error { return nil }
