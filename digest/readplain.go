package digest

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// ReadPlain reads a small file that somebody else may have made: a plain file of
// most bytes or less. It does not wait for a FIFO, and does not read a device
// that never ends; both are errors, as is a larger file. Links are followed.
func ReadPlain(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is not a plain file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, fmt.Errorf("read %s: it has more than %d bytes", path, most)
	}
	return data, err
}
