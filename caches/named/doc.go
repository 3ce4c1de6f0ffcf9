// Package named keeps named caches: directories that survive between the runs
// of tools, in two modes, for any number of processes without a daemon.
//
// # Words
//
// A cache is identified by a [caches.Ref]. What it holds at one moment is a
// generation: an immutable manifest that names a stack of immutable layers. The
// head is a file that names the newest generation. A checkout is a lease on one
// generation (a shared kernel lock on its manifest) plus a fresh private layer.
// A publish makes the private layer part of a new generation and swaps the
// head; a discard gives the private layer up.
//
// # Life cycle
//
//	Checkout   read the head, lease its generation, make a private layer
//	  ...      a process sees the stack with the private layer on top of it
//	Publish    exactly one of the two, once the process
//	Discard    and everything that it started have ended
//	Compact    now and then, by whoever has time: keep the stack shallow
//	Run.Close  remove what is private
//
// A publish that has nothing to add leaves the head alone. An append-only
// publish drops what is not an addition and reports it. A mutable publish puts
// the private layer on top; when the head moved since the checkout it merges,
// replaces or discards, as [caches.ConflictPolicy] says.
//
// # What counts as a change
//
// Kind, permission bits, content of files, target of links, and for mutable
// caches the modification time of plain files too, because tools compare it
// with what they noted (mypy and make do). Append-only caches ignore times: the
// same bytes under the same path are a duplicate. Times of directories, owners
// and extended attributes never count. FIFOs, sockets and devices are never
// published. A file or directory that its owner cannot read gains that
// permission when it is published.
//
// # On disk
//
//	named-v1/ID/ref.json              which cache this is
//	named-v1/ID/head                  the id of the head generation
//	named-v1/ID/generations/GEN.json  manifests; a shared lock is a lease
//	named-v1/ID/lock                  held while the head may be swapped
//	named-v1/ID/use                   held by the action of lock=true; shared by those of a live cache
//	named-v1/ID/live/shared/          the directory of a live cache, which has no head
//	layers-v1/ID/LAYER/               the layers
//
// A publish renames its layer into place, then writes the manifest, then
// replaces the head. A crash in between leaves a layer or a manifest that the
// head does not lead to; the next publish removes it. A head, manifest or layer
// that is damaged or missing makes the cache count as empty, with a warning: a
// cache is always safe to lose.
package named
