package caches

import (
	"errors"
	"os"
	"syscall"
)

// firstRead is more than most records of the store have.
const firstRead = 1024

// ReadFile reads a record of the store. It is os.ReadFile with as few calls to
// the kernel as there can be, three: a list of a thousand caches reads
// thousands of records. Errors are those of os.ReadFile. It does not wait for what
// is no file: another user of the store may have put a FIFO there.
func ReadFile(path string) ([]byte, error) {
	descriptor, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(descriptor)
	data := make([]byte, 0, firstRead)
	for {
		n, err := retry(func() (int, error) { return syscall.Read(descriptor, data[len(data):cap(data)]) })
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		data = data[:len(data)+n]
		if n == 0 {
			return data, nil
		}
		if len(data) == cap(data) {
			data = append(data, make([]byte, len(data))...)[:len(data)]
		}
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
