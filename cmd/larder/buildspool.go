package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spool keeps what one action says until it has ended, so that actions do not
// talk at once.
type spool struct{ stdout, stderr backlog }

// backlog keeps what is written to it: a little in memory, and what is more in a
// file that has no name, so that nothing is left of it however larder ends.
type backlog struct {
	start bytes.Buffer
	file  *os.File
}

const mostBacklog = 64 << 10

// Write keeps data.
func (b *backlog) Write(data []byte) (int, error) {
	if b.file == nil && b.start.Len()+len(data) <= mostBacklog {
		return b.start.Write(data)
	}
	if b.file == nil {
		file, err := os.CreateTemp("", "larder-output-*")
		if err != nil {
			return 0, fmt.Errorf("keep what an action says: %w", err)
		}
		_ = os.Remove(file.Name()) // else the system removes it some time
		b.file = file
	}
	return b.file.Write(data)
}

// tail is at most the last n bytes.
func (b *backlog) tail(n int64) string {
	if b.file == nil {
		return string(b.start.Bytes()[max(b.start.Len()-int(n), 0):])
	}
	size, err := b.file.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	end := make([]byte, min(n, size))
	read, _ := b.file.ReadAt(end, size-int64(len(end)))
	return string(end[:read])
}

// isEmpty reports whether nothing was written.
func (b *backlog) isEmpty() bool { return b.file == nil && b.start.Len() == 0 }

// empty writes all of it to w, and forgets it.
func (b *backlog) empty(w io.Writer) error {
	_, err := b.start.WriteTo(w)
	b.start = bytes.Buffer{}
	if b.file == nil {
		return err
	}
	if err == nil {
		_, err = b.file.Seek(0, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(w, b.file)
	}
	b.file.Close()
	b.file = nil
	return err
}
