// Package digest names content: blobs by hash and size, directory trees by the
// digest of their root. It scans a host directory into such a tree, with a stat
// index so that only what changed is read, builds trees from lists of entries,
// and reads trees back from wherever their blobs are.
//
// Trees are Merkle trees of Remote Execution API Directory messages, in their
// canonical form: names sorted and unique, file modes reduced to the executable
// bit, symbolic links kept as links, empty directories kept. The same content
// has the same root digest on every machine.
//
// The package holds no state of its own and writes nothing. Values are safe to
// share between goroutines unless their comment says otherwise.
package digest
