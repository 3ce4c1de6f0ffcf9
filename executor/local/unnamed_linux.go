package local

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unnamed adds up the files on disk that have no name any more, as those that were
// removed while a process below root has them open: they take as much room as
// others. Zero is no root. A file that is mapped and not open is not seen.
func unnamed(root int) (total int64) {
	type file struct{ device, inode uint64 }
	seen := map[file]bool{}
	for _, process := range below(root) {
		for _, name := range namesIn(process + "/fd") {
			var stat unix.Stat_t
			path := process + "/fd/" + name
			if unix.Stat(path, &stat) != nil || stat.Nlink > 0 || stat.Mode&unix.S_IFMT != unix.S_IFREG || inMemory(path) {
				continue
			}
			if f := (file{stat.Dev, stat.Ino}); !seen[f] {
				seen[f] = true
				total += sizeOf(&stat)
			}
		}
	}
	return total
}

// inMemory reports whether a file takes memory, and no room on a disk.
func inMemory(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) != nil || stat.Type == unix.TMPFS_MAGIC
}

// below lists the folders in /proc of all processes that one has started, those
// that they have started, and so on.
func below(root int) (processes []string) {
	if root == 0 {
		return nil
	}
	pending := []string{"/proc/" + strconv.Itoa(root)}
	for len(pending) > 0 {
		process := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for _, thread := range namesIn(process + "/task") {
			children, _ := os.ReadFile(process + "/task/" + thread + "/children") // it may have ended
			for _, child := range strings.Fields(string(children)) {
				pending = append(pending, "/proc/"+child)
				processes = append(processes, "/proc/"+child)
			}
		}
	}
	return processes
}

// namesIn lists a folder; one that is gone has nothing in it.
func namesIn(folder string) []string {
	dir, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return names
}
