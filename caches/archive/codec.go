package archive

import (
	"errors"
	"io"
)

// Codec is what compresses and decompresses: in this process, as the package
// zstd below does, or in another one. Both functions must be there. It has no
// state, so it may be shared between goroutines; what it returns is for one.
type Codec struct {
	// Pack returns a writer whose input goes to its argument as zstd, all of it
	// when Close has returned nil. Close leaves the argument open.
	Pack func(to io.Writer) (io.WriteCloser, error)
	// Unpack returns a reader of what its argument was before it was compressed.
	// It reads its argument to the end before it says io.EOF, and passes over
	// frames of zstd that are to be skipped. Close may come at any time, and does
	// not close the argument.
	Unpack func(from io.Reader) (io.ReadCloser, error)
}

// ErrBrokenOff is for a codec to say that it failed by itself, or was made to
// end: the archive may be in order.
var ErrBrokenOff = errors.New("broken off")
