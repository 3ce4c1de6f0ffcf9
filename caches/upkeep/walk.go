package upkeep

import (
	"path/filepath"

	"larder/caches"
)

// visitor is shown a path, and reports whether the walk goes on.
type visitor func(path string, err error) bool

// walk calls visit for path and all below it, directories before what is in
// them, until visit returns false. A directory that cannot be read is visited
// twice, the second time with an error. That something was looked at does not
// count as a use of it: filepath.WalkDir would change the time by which it is
// known when an input tree was used.
func walk(path string, visit visitor) bool {
	dir, err := caches.OpenUnnotedDir(path)
	if !visit(path, nil) {
		return false
	}
	if dir == nil {
		return err == nil || visit(path, err)
	}
	entries, err := dir.ReadDir(-1)
	dir.Close()
	for _, entry := range entries {
		next := visitOne
		if entry.IsDir() {
			next = walk
		}
		if !next(filepath.Join(path, entry.Name()), visit) {
			return false
		}
	}
	return err == nil || visit(path, err)
}

func visitOne(path string, visit visitor) bool { return visit(path, nil) }
