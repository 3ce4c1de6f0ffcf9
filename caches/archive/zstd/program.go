package zstd

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Exit codes of the program, besides 0.
const (
	// CodeFailed is for a wrong call, and for a stream that cannot be read or
	// written.
	CodeFailed = 1
	// CodeDamaged is for input that is no zstd, or is damaged.
	CodeDamaged = 2
)

// Streams are those that a program is given.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main is the program larder-zstd: it compresses its standard input to its
// standard output, or with -d as its one argument decompresses it, and returns
// the exit code. What went wrong is one line on the error stream. Output that
// came before an error is no whole stream, and must not be used.
func Main(args []string, streams Streams) int {
	work := compress
	switch {
	case slices.Equal(args, []string{"-d"}):
		work = decompress
	case len(args) > 0:
		fmt.Fprintln(streams.Err, "larder-zstd: usage: larder-zstd [-d]: compresses standard input to standard output, or decompresses it; larder cache export and import start it")
		return CodeFailed
	}
	from := &noting{from: streams.In}
	err := work(streams.Out, from)
	if err == nil {
		return 0
	}
	fmt.Fprintf(streams.Err, "larder-zstd: %v\n", err)
	if errors.Is(err, errInput) && from.failed == nil {
		return CodeDamaged
	}
	return CodeFailed
}

// bufferLength is that of a pipe: more would be waited for and not be there.
const bufferLength = 64 << 10

func compress(to io.Writer, from io.Reader) error {
	packed, err := Pack(to)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(plainWriter{packed}, from, make([]byte, bufferLength)); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if err := packed.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// errInput marks what is wrong with the input itself.
var errInput = errors.New("the input cannot be decompressed")

func decompress(to io.Writer, from io.Reader) error {
	packed, err := Unpack(from)
	if err != nil {
		return err
	}
	defer packed.Close()
	read := &noting{from: packed}
	_, err = io.CopyBuffer(plainWriter{to}, read, make([]byte, bufferLength))
	switch {
	case read.failed != nil:
		return fmt.Errorf("%w: %w", errInput, err)
	case err != nil:
		return fmt.Errorf("decompress: %w", err)
	}
	return nil
}

// plainWriter hides what else a writer can do, which would bring buffers of its
// own.
type plainWriter struct{ io.Writer }

// noting keeps the error of a reader, to tell it from that of a writer.
type noting struct {
	from   io.Reader
	failed error
}

func (n *noting) Read(p []byte) (int, error) {
	count, err := n.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.failed = err
	}
	return count, err
}
