// Package cgroup holds all processes of one run together to limits of memory
// and processes, and measures their processor time, by control groups of
// Linux. It knows nothing of sandboxes.
//
// # Where groups are made
//
// Each kind of limit is had from version 2 where its controller is there, and
// from version 1 otherwise; a machine may have some of both. In version 2 a group
// with processes of its own cannot have limited groups below it, so a group of a
// run lies beside that of the caller: below the nearest group above that the
// caller may divide and that has the controllers, or can be given them. The
// caller itself is never moved. A limit of the caller's own group therefore does
// not hold for the run. In version 1 it lies below the caller's.
//
// # How a process gets in
//
// By itself, when it is born, since moving another process takes the kernel some
// ten milliseconds: in version 2 a process is cloned into the group (clone3 with
// CLONE_INTO_CGROUP and [Group.Directory]), in version 1 a process with one thread
// writes "0" to each of [Group.Tasks]. Both use the rights with which the files
// were opened or, for clone3, those of the same user.
//
// # Life and death
//
// A group is a directory that nobody else knows. While it is in use an open file
// with a kernel lock says so; a caller that is killed leaves an empty group
// without lock, which the next [New] of the same place removes. Groups that hold a
// process are never removed. Any number of goroutines and processes may make
// groups at once.
package cgroup
