//go:build amd64 || arm64

package main

// entry is where the kernel begins a larder that `make` has built, before Go's
// runtime: the linker takes its address (go tool link -E). For `larder run` it asks
// for coarser timers and for one processor, and then goes where every Go program begins.
//
// A thread of the runtime looks after the others. In the first milliseconds of a program
// it wakes every twenty microseconds, or every seventy with the timers that are customary: fifty
// times in a run of a short command, of 110 switches between processes in all. With a
// millisecond of slack it wakes a handful of times. Threads inherit the slack of
// their maker, and nothing but what comes before the runtime is early enough for this one. A
// thread that waits in the kernel is noticed later then, so it is for `run` alone, which
// mostly waits. What runs in the sandbox has the customary timers (see package sandbox).
//
// With more processors the runtime wakes a thread for each thing to do, which finds
// nothing to do, on the processor on which process 1 makes the sandbox: larder has one
// thing to do at a time until there is a command. It gets the others when there are files
// to look at, or the command is not over at once (see onAllProcessors).
//
// A larder that was built without the option begins at Go's own entry.
//
//lint:ignore U1000 the linker names it
func entry()
