// Package layers keeps immutable layers and stacks of them, and works out what
// a private layer changes on a stack.
//
// # Form
//
// A layer is a directory in the form that overlayfs uses: plain files,
// directories and symbolic links; a whiteout (a character device 0:0, or an
// empty file with the overlay.whiteout attribute in a directory whose opaque
// mark is "x") hides what lower layers hold under its name; a directory with
// the opaque mark "y" hides the directory of the same name below. Marks are
// read under user.overlay and trusted.overlay and written under user.overlay.
// The form is described in the kernel's Documentation/filesystems/overlayfs.rst.
//
// A [Stack] is an ordered list of layers, bottom first. Its view is what
// overlayfs shows when the layers are mounted; [Stack.Resolve] and [Stack.Walk]
// give that view without a mount.
//
// # Life of a layer
//
// A process writes to the upper directory of a [Private] folder inside a [Run].
// [Changes] lists what that upper directory changes on the stack below it,
// [Prune] drops what must not be kept, and [Commit] renames the rest to its
// place in the store. From then on nobody writes to it: [Flatten] merges layers
// into a new one by hard links and leaves the old ones as they are. [WriteSum]
// lists what a layer holds in a file beside it, and [CheckSum] finds every byte
// that has changed since.
//
// # What may be shared, and what a crash leaves
//
// Committed layers may be read by any number of processes. A crash leaves at
// most run folders and folders under the layout's Temp, which [Sweep] removes,
// and a committed layer that no manifest names, which its owner removes.
//
// Extended attributes other than overlayfs's own are carried along with a file
// but do not count when two files are compared. Owners do not count either: a
// store belongs to one user.
package layers
