// Package sandbox runs one process in Linux namespaces over a mount plan. It
// knows nothing of digests, caches or actions: a caller says which host paths
// and overlay layers appear where, and [Run] starts the process, feeds it
// signals, ends it and everything it started, and says how it went.
//
// # What a process sees
//
// A root of its own with only what the [Config] lists: a [View] of the host
// (read-only), binds, overlays, and what every sandbox has: /proc (read-only),
// a minimal /dev, a private /tmp, an empty writable home, and made-up user and
// host names. Process 1 of the sandbox, which has the memory of the caller, is
// out of sight. Mount, pid, ipc and uts namespaces are always its own, and so is a
// user one, and the network one unless [NetworkHost] is asked for; those of a [Pool] have the user and the
// network namespace after one another. It has no capabilities, can
// gain no privileges, and a seccomp filter refuses the system calls that only
// serve to break out. All of this holds for root as well.
//
// Where namespaces are not to be had there is the [Directory], which promises
// little of this.
//
// # How it is built
//
// First a plan, then its effect. The plan is a table of system calls with all
// their arguments; making it needs no kernel and is tested without one. The
// effect is one clone of the calling process whose child, on a stack of its own in
// the same memory, works through the table with raw system calls. That child stays
// as process 1 of the new pid namespace: it starts the set-up, the command and the
// tear-down one after the other, reaps what they leave, and reports on a socket. In
// a [Directory] it has a copy of the memory instead. No helper program is
// executed, which is where other sandboxes spend most of their time.
//
// # Life and death
//
// Process 1 ends when the socket to its creator closes, and the kernel then
// ends every process of its namespace, so a crash of the creator leaves no
// process and no mount. Any number of goroutines may call [Run] at once.
package sandbox
