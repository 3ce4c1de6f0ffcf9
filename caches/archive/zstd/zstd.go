// Package zstd compresses and decompresses the files of exported caches, as a
// library and as the program larder-zstd. It is apart from what reads and writes
// those files since its tables cost time at the start of every program that
// links it, and hardly any start of larder needs them.
//
// Memory is bounded on both sides, whatever the input says and however long it
// is. The whole program takes 14 MiB for what it has compressed itself.
package zstd

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// window is how far back the compressor looks: what it costs in memory on both
// sides, and little of what it gains.
const window = 4 << 20

// Pack returns a writer that compresses to another one, into a frame with a
// checksum. What was written is there when Close has returned nil; Close does not
// close the other one. It is for one goroutine.
func Pack(to io.Writer) (io.WriteCloser, error) {
	packed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("prepare to compress: %w", err)
	}
	return packed, nil
}

// Unpack returns a reader of what another one has in compressed form. It reads
// that one to the end, over any number of frames. Input that is damaged, or asks
// for a window of more than 8 MiB, is an error of Read. It is for one goroutine.
func Unpack(from io.Reader) (io.ReadCloser, error) {
	packed, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(2*window))
	if err != nil {
		return nil, fmt.Errorf("prepare to decompress: %w", err)
	}
	return packed.IOReadCloser(), nil
}
