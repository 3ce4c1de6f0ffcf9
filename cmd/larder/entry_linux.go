//go:build amd64 || arm64

package main

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// entry is where the kernel begins a larder that `make` has built, before Go's
// runtime: the linker takes its address (go tool link -E). For `larder run` it asks
// for coarser timers and stays on one processor, and then goes where every Go program
// begins.
//
// A thread of the runtime looks after the others. In the first milliseconds of a program
// it wakes every twenty microseconds, or every seventy with the timers that are customary: fifty
// times in a run of a short command, of 110 switches between processes in all. With a
// millisecond of slack it wakes a handful of times. Threads inherit the slack of
// their maker, and nothing but what comes before the runtime is early enough for this one. A
// thread that waits in the kernel is noticed later then, so it is for `run` alone, which
// mostly waits. What runs in the sandbox has the customary timers (see package sandbox).
//
// The runtime begins with three threads that wait for each other in turn, however little
// there is to do. On one processor that is a handful of switches; with more, each turn waits until
// another processor, or a virtual one that its host has given away, is awake. For the same reason the
// runtime takes itself to be alone, and wakes no thread for each thing to do: larder has one
// thing to do at a time until there is a command. It gets the others when there are files
// to look at, or the command is not over at once (see onAllProcessors). Its threads may use
// all processors from the beginning of main (see spread).
//
// A larder that was built without the option begins at Go's own entry.
//
//lint:ignore U1000 the linker names it
func entry()

// processorSet is processors as the kernel reads it. A machine may have more than the 1,024 that are
// in it: entry does nothing there.
type processorSet = unix.CPUSet

// What entry has found and done: all is zero when it has done nothing.
var (
	everywhere processorSet // where this process might run
	here       processorSet // where it does
)

// spread lets all threads of this process run everywhere again. The kernel takes that for what
// the process has asked for: who makes its set of processors larger later has to tell it so.
func spread() {
	if here == everywhere {
		return
	}
	folder, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // of a folder that entry has seen: where nothing can be opened nothing can be run
	}
	defer unix.Close(folder)
	found := map[string]bool{}
	for known := -1; known != len(found); { // one that was found late may have made another
		known = len(found)
		spreadThreads(folder, found)
	}
}

// spreadThreads is for those that are not among the found ones, to which it adds them. That
// one is gone, or may run nowhere any more, is no matter.
func spreadThreads(folder int, found map[string]bool) {
	const room = 4096 // bytes: the names of a hundred threads; there are four or five
	var entries [room]byte
	_, _ = unix.Seek(folder, 0, unix.SEEK_SET)
	length, _ := unix.ReadDirent(folder, entries[:])
	_, _, names := unix.ParseDirent(entries[:max(length, 0)], -1, nil)
	for _, name := range names {
		if !found[name] {
			found[name] = true
			id, _ := strconv.Atoi(name)
			_ = unix.SchedSetaffinity(id, &everywhere)
		}
	}
}
