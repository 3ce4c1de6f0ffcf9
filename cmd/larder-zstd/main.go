// Command larder-zstd compresses its standard input to its standard output, or
// with -d decompresses it. larder starts it for cache export and cache import; it
// is a program of its own since its tables would cost every start of larder time.
// Like any filter it ends when its streams do, or by a signal.
package main

import (
	"os"

	"larder/caches/archive/zstd"
)

func main() {
	os.Exit(zstd.Main(os.Args[1:], zstd.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
