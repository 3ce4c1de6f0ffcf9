package local

import (
	"os"
	"path/filepath"
)

// RepositoryOf returns the root of the repository that folder is in: the
// nearest folder at or above it that a version control system has marked, with
// symbolic links resolved, or folder itself. Two checkouts, and two work trees
// of one repository, are different repositories here.
func RepositoryOf(folder string) string {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	for at := folder; ; at = filepath.Dir(at) {
		for _, mark := range []string{".git", ".hg", ".jj", ".sl"} {
			if _, err := os.Lstat(filepath.Join(at, mark)); err == nil {
				return at
			}
		}
		if at == filepath.Dir(at) {
			return folder
		}
	}
}
