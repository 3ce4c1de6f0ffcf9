// Package payload keeps local copies of large host directories that are meant
// not to change: a toolchain or an SDK on a network share, say.
//
// # Words
//
// A [Source] is such a directory in one state: its absolute path and a
// fingerprint of every name, kind, size, time and permission below it. A
// directory that has changed is another source, with another copy; the old copy
// stays until somebody removes it. A source whose copy was asked for is wanted.
//
// # Life of a copy
//
// [Store.Use] is what a run calls. It gives the copy when there is one, with a
// lease that keeps it, and the directory itself otherwise, at once. When it also
// says that a copy should begin, the caller has [Store.Copy] called by a process
// that goes on after the run. [Store.Warm] is the same in the foreground: it
// waits for a copy that another process is making. The copy is made in a folder
// beside its place and gets there by one rename, when it is whole and on the
// disk and the source is still in the state in which it was wanted; otherwise it
// is thrown away.
//
//	pending → copying → cached → removing
//	             ↓  ↑
//	            stalled
//
// Whether a copy is being made is told by the kernel lock of the process that
// makes it, never by age: a process that is stopped still holds it, and one that
// was killed does not.
//
// # Form
//
// A folder of the store for each source, with these names in it:
//
//	payload.json  which source it is
//	lock          locked by who copies or removes
//	use           locked, shared, by who uses the copy; its time is the last use
//	tree          the copy; it is there or it is not
//	tree.sum      what is in it, for [Store.Verify]
//	partial       a copy on its way
//	progress      how far it is, as advice
//	gone          a copy that is being deleted
//	problem       why the last attempt failed
//
// # What may be shared, and what a crash leaves
//
// Any number of processes may use one store; the copies of a user are used by
// that user alone. A crash leaves partial or gone,
// which the next copy, [Store.Remove] or [Store.Sweep] deletes. Owners, set-user-id
// bits, extended attributes and hard links between the files of a source are not
// kept in its copy.
package payload
