package layers

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder returns the id of the process that holds the exclusive lock on the file
// at path, or 0 when nobody does or the kernel does not say: it lists no locks of
// processes that this one cannot see, and none below some file systems.
func Holder(path string) int {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0
	}
	list, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	device := uint64(stat.Dev)
	return holderIn(string(list), fmt.Sprintf("%02x:%02x:%d", unix.Major(device), unix.Minor(device), stat.Ino))
}

// holderIn finds a file in a list of locks, see proc_locks(5):
//
//	1: FLOCK  ADVISORY  WRITE 22173 fe:00:4068711 0 EOF
//
// Who waits has an arrow behind the number.
func holderIn(list, file string) int {
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[3] != "WRITE" || fields[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
