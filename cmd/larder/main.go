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
)

func main() {
	spread()
	reserveStack(0)
	knowHelp()
	os.Exit(execute(context.Background(), os.Args))
}
