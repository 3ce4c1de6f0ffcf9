// Package signals takes the signals of a process that is over soon.
//
// Package os/signal starts three threads, which pass the word to each other twice for each
// signal that is asked for, a dozen switches between them: a tenth of a millisecond for
// a program that runs four, on the processors where its command starts. Here a handler of
// some ten instructions writes to a pipe.
package signals

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Catch has signals sent to a channel from now on, as [signal.Notify] does: those that find
// no room in it are dropped. A SIGHUP that the process was started to ignore, as by nohup(1),
// stays ignored. Others are caught: a shell that runs a script has what it puts into the
// background ignore SIGINT, and the script may send one all the same. A reader of standard
// output that has gone away is an error of the write and does not end the process.
//
// It is for the whole process, which must not ask os/signal for any of these signals as
// well. Programs that it starts have the customary behaviour for all of them, and on Linux
// SIGPIPE ignored, as what is ignored is inherited. The error says which of them could not
// be had.
func Catch(to chan<- os.Signal, all ...os.Signal) error {
	return catch(to, Wanted(all))
}

// Wanted leaves out what the process was started to ignore, as far as [Catch] says.
func Wanted(all []os.Signal) []os.Signal {
	return slices.DeleteFunc(slices.Clone(all), func(s os.Signal) bool { return s == syscall.SIGHUP && signal.Ignored(s) })
}
