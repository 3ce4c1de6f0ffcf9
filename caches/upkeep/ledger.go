package upkeep

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// ledger knows how many names are left of files that have several, so that the
// removal of one is not taken for freed room before the last one goes. It works
// the same whether names are really removed or only planned to be. It holds an
// entry for each such file that was taken.
type ledger struct {
	left map[inode]uint64
	gone map[string]bool // paths that a plan has taken although they are there
}

// take counts the names at and below paths as removed, and returns how many
// bytes of disk that frees.
func (l *ledger) take(paths []string) (frees int64) {
	l.visit(paths, func(stat *unix.Stat_t) {
		if stat.Mode&unix.S_IFMT == unix.S_IFDIR || stat.Nlink == 1 {
			frees += stat.Blocks * 512
			return
		}
		if l.left == nil {
			l.left = map[inode]uint64{}
		}
		node := inode{uint64(stat.Dev), stat.Ino}
		left, known := l.left[node]
		if !known {
			left = uint64(stat.Nlink)
		}
		l.left[node] = left - 1
		if left == 1 {
			frees += stat.Blocks * 512
		}
	})
	return frees
}

// giveBack undoes take for what could not be removed.
func (l *ledger) giveBack(paths []string) {
	l.visit(paths, func(stat *unix.Stat_t) {
		node := inode{uint64(stat.Dev), stat.Ino}
		if left, known := l.left[node]; known {
			l.left[node] = left + 1
		}
	})
}

// forget says that paths, which were taken, are still there and do not count
// again with the folder that they are in.
func (l *ledger) forget(paths []string) {
	if l.gone == nil {
		l.gone = map[string]bool{}
	}
	for _, path := range paths {
		l.gone[path] = true
	}
}

// visit looks at every file and directory at and below paths that can be looked
// at.
func (l *ledger) visit(paths []string, each func(*unix.Stat_t)) {
	for _, path := range paths {
		within := "" // what was taken before
		walk(path, func(at string, err error) bool {
			if l.gone[at] {
				within = at + "/"
			}
			if l.gone[at] || within != "" && strings.HasPrefix(at, within) {
				return true
			}
			var stat unix.Stat_t
			if err == nil && unix.Lstat(at, &stat) == nil {
				each(&stat)
			}
			return true
		})
	}
}

func freeBytes(path string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}
