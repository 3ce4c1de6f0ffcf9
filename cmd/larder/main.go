// Command larder runs build actions in sandboxes, with named caches that
// survive between runs and results that are kept under a content key.
//
// This package is the only one that reads flags, the environment and
// configuration files; it wires the others together and makes the sentences
// that a user reads.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

func main() {
	// A run is over before garbage is worth collecting often: the scan of a
	// large tree would otherwise collect several times.
	debug.SetGCPercent(400)
	os.Exit(execute(context.Background(), os.Args))
}
