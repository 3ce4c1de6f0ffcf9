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
//	Tender     now and then, by whoever has time: keep the stack shallow, list
//	           what layers hold, mark generations as durable
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
//	named-v1/ID/ref.json                 which cache this is
//	named-v1/ID/head                     the id of the head generation
//	named-v1/ID/gone                     what was the head, of a cache that is being removed
//	named-v1/ID/generations/GEN.json     manifests; a shared lock is a lease
//	named-v1/ID/generations/GEN.durable  the generation was seen on the disk
//	named-v1/ID/generations/GEN.dropped  the head has it in its history and does without
//	named-v1/ID/lock                     held while the head may be swapped
//	named-v1/ID/use                      held by the action of lock=true; shared by those of a live cache
//	named-v1/ID/live/shared/             the directory of a live cache, which has no head
//	layers-v1/ID/LAYER/                  the layers
//	layers-v1/ID/LAYER.sum               what a layer holds, see [layers.WriteSum]
//
// A publish renames its layer into place, then writes the manifest, then
// replaces the head. A crash in between leaves a layer or a manifest that the
// head does not lead to; the next publish removes it.
//
// # Power cuts
//
// A publish waits for no disk. Its manifest names the boot of the machine that it
// was made in, and as long as that boot lasts there is nothing to fear: a crash of
// a process tears no file that is written. Later, and for many publishes at once, a
// [Tender] has the store synced and then marks the generations that were there
// before. In another boot only marked generations are used: when the head is none,
// or when it, its manifest or a layer is damaged or missing, the newest marked
// generation with all of its layers is the head. It stays until another one is
// marked, however many are published meanwhile. So a power cut costs the last
// moments of a cache, and never shows a torn or mixed one.
//
// Without a marked generation such a cache counts as empty, with a warning: a
// cache is always safe to lose.
package named
