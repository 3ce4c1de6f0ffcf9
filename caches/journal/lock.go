package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// patience is how long a count waits for the lock of its tally, which others
// hold for microseconds: only a process that was stopped in that moment keeps it
// longer. Then the count is lost rather than the run held up.
const patience = 5 * time.Second

// errBusy says that the lock could not be had in time.
var errBusy = errors.New("another process holds the tally")

// lockedFile opens a file under its exclusive kernel lock. The lock is on the
// file that has this name now, and goes with Close or the death of the process.
func lockedFile(path string, flags int) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
		if err != nil {
			return nil, err
		}
		if err := caches.ShareFile(file); err != nil {
			file.Close()
			return nil, err
		}
		if err := lock(file); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		var stat unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &stat); err != nil || stat.Nlink > 0 {
			return file, err
		}
		file.Close() // removed while this process waited
	}
}

// lock takes the lock, or closes the file.
func lock(file *os.File) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errBusy)
	defer cancel()
	return caches.FlockWithin(ctx, file, unix.LOCK_EX)
}
