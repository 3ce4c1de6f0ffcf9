package caches

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// firstRead is more than most records of the store have.
const firstRead = 2048

// MaxRecord is more bytes than any record of the store has.
const MaxRecord = 16 << 20

// ReadFile reads a record of the store. It is os.ReadFile with as few calls to
// the kernel as there can be, three: a list of a thousand caches reads
// thousands of records. Errors are those of os.ReadFile. It does not wait for what
// is no file, and a file of more than [MaxRecord] bytes is EFBIG: another user of
// the store may have put a FIFO there, or a file that takes all memory.
func ReadFile(path string) ([]byte, error) { return ReadAtMost(path, MaxRecord) }

// ReadAtMost is ReadFile with another bound, in bytes.
func ReadAtMost(path string, most int64) ([]byte, error) { return readWith(path, most, 0) }

// ReadUnnoted is ReadFile for what looks after the store or has noted the use of
// the file: reading does not count as one, where the file is the user's own.
func ReadUnnoted(path string) ([]byte, error) {
	data, err := readWith(path, MaxRecord, unnoted)
	if unnoted != 0 && errors.Is(err, syscall.EPERM) {
		return ReadFile(path) // of another user
	}
	return data, err
}

func readWith(path string, most int64, flags int) ([]byte, error) {
	descriptor, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|flags, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(descriptor)
	data, err := readAll(descriptor, most)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

func readAll(descriptor int, most int64) ([]byte, error) {
	data := make([]byte, 0, min(firstRead-1, most)+1)
	for {
		n, err := retry(func() (int, error) { return syscall.Read(descriptor, data[len(data):cap(data)]) })
		if err != nil {
			return nil, err
		}
		atEnd := n < cap(data)-len(data) // a read of a file is short only at its end
		data = data[:len(data)+n]
		if int64(len(data)) > most {
			return nil, syscall.EFBIG
		}
		if atEnd {
			return data, nil
		}
		if len(data) == cap(data) {
			data = append(data, make([]byte, len(data))...)[:len(data)]
		}
	}
}

// Glance is what one look at a record tells.
type Glance struct {
	Data    []byte
	Changed time.Time // when the file was last changed
	Locked  bool      // somebody holds a kernel lock on the file
}

// ReadGlance is [ReadFile] with what else there is to know of a file by which
// leases are held. To find out it takes the exclusive lock for a moment.
func ReadGlance(path string) (Glance, error) {
	descriptor, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	})
	if err != nil {
		return Glance{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(descriptor)
	data, err := readAll(descriptor, MaxRecord)
	var stat unix.Stat_t
	if err == nil {
		err = unix.Fstat(descriptor, &stat)
	}
	if err != nil {
		return Glance{}, &os.PathError{Op: "read", Path: path, Err: err}
	}
	err = unix.Flock(descriptor, unix.LOCK_EX|unix.LOCK_NB)
	return Glance{data, time.Unix(stat.Mtim.Unix()), errors.Is(err, unix.EWOULDBLOCK)}, nil
}

// ReadNames lists a folder, in no order. A link in its place is not followed.
func ReadNames(path string) ([]string, error) {
	descriptor, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(descriptor)
	var names []string
	buffer := make([]byte, 8<<10)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(descriptor, buffer) })
		if err != nil {
			return nil, &os.PathError{Op: "readdir", Path: path, Err: err}
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}

// retry makes a call again for as long as signals interrupt it.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
