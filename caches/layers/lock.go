package layers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// ErrLocked says that somebody else holds a lock that was asked for without
// waiting.
var ErrLocked = errors.New("locked by another process")

// Lock is a kernel lock (flock) on a file, shared or exclusive. It belongs to
// this process, is not passed on to programs that it starts, and is released
// by Close or by the death of the process, however that comes about.
type Lock struct{ file *os.File }

// Acquire waits until it holds the exclusive lock on the file at path, which it
// makes when it is missing. The lock that it returns is on the file that is at
// path now: when the file was removed while it waited, it starts again. When
// ctx ends first it returns the cause.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := waitFor(ctx, path)
		if err != nil || lock != nil {
			return lock, err
		}
	}
}

// Lease takes the shared lock on the file at path, which must exist, and waits
// for an exclusive holder. An error that wraps fs.ErrNotExist says that the
// file is gone, perhaps since the caller learned its name.
func Lease(ctx context.Context, path string) (*Lock, error) {
	file, err := openLock(path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("take a lease: %w", err)
	}
	lock, err := hold(ctx, file, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	if err := lock.stillAt(path); err != nil {
		return nil, fmt.Errorf("take a lease: %w", err)
	}
	return lock, nil
}

// TryAcquire takes the exclusive lock on the existing file at path, or returns
// [ErrLocked] at once when somebody holds it.
func TryAcquire(path string) (*Lock, error) {
	file, err := openLock(path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return try(file, path)
}

// TryMake is TryAcquire for a lock file that is made when it is missing.
func TryMake(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := caches.ShareFile(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return try(file, path)
}

func try(file *os.File, path string) (*Lock, error) {
	if err := caches.Flock(file, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	lock := &Lock{file}
	if err := lock.stillAt(path); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return lock, nil
}

// Close releases the lock. It may be called more than once, and on nil.
func (l *Lock) Close() {
	if l != nil {
		l.file.Close()
	}
}

// stillAt looks whether the locked file is still the one at path, and closes the
// lock when it is not: on a file that was removed it protects nothing. The error
// wraps fs.ErrNotExist then, and not when nobody can look, as on a disk that
// fails: trying again would never end.
func (l *Lock) stillAt(path string) error {
	mine, err := l.file.Stat()
	var there fs.FileInfo
	if err == nil {
		there, err = os.Lstat(path)
	}
	if err == nil && !os.SameFile(mine, there) {
		err = fmt.Errorf("%s was replaced meanwhile: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		l.Close()
	}
	return err
}

// waitFor returns a nil lock when the file at path was replaced meanwhile.
func waitFor(ctx context.Context, path string) (*Lock, error) {
	file, err := openLock(path, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := caches.ShareFile(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	lock, err := hold(ctx, file, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	err = lock.stillAt(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return lock, nil
}

func hold(ctx context.Context, file *os.File, how int) (*Lock, error) {
	if err := caches.FlockWithin(ctx, file, how); err != nil {
		return nil, fmt.Errorf("wait for %s: %w", file.Name(), err)
	}
	return &Lock{file}, nil
}

// openLock opens a file to lock it. It does not wait where another user of the
// store has put a FIFO in its place, nor follow a link to a file that is then
// shared with all of them.
func openLock(path string, flags int) (*os.File, error) {
	return os.OpenFile(path, flags|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o644)
}
