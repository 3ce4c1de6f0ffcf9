package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"larder/executor/action"
)

// onAllProcessors has the runtime use all processors, unless the user has said how many:
// a run begins on one (see entry).
func onAllProcessors() {
	if runtime.GOMAXPROCS(0) == 1 && os.Getenv("GOMAXPROCS") == "" {
		runtime.SetDefaultGOMAXPROCS()
	}
}

// soon is when a command is not over at once.
const soon = 10 * time.Millisecond

// suitRuntime prepares the runtime for how much there is to look at.
func suitRuntime(a *action.Action) {
	if len(a.Inputs)+len(a.Trees)+len(a.Outputs)+len(a.Caches)+len(a.Payloads)+len(a.Observe) > 0 {
		collectSeldom()
		onAllProcessors()
		return
	}
	time.AfterFunc(soon, onAllProcessors)
}

// stackSize is what the stack of main comes to in a run of a command.
const stackSize = 48 << 10

// reserveStack has the runtime make its stack as large as it will be, while there is
// hardly anything on it: it makes stacks larger by a copy, and has to find the
// pointers in each frame. Only the frame of this function asks for the room; with
// more than 0 its memory would be used as well.
//
//go:noinline
func reserveStack(used int) {
	if used > 0 {
		var room [stackSize]byte
		use(&room)
	}
}

//go:noinline
func use(room *[stackSize]byte) { room[0] = 1 }

// collectSeldom is for a command that may have much in memory: it is over before
// garbage is worth collecting often, and the scan of a large tree would otherwise
// collect several times. It stops all that runs for a moment, so a run with next to
// nothing to look at goes without.
func collectSeldom() { debug.SetGCPercent(400) }
