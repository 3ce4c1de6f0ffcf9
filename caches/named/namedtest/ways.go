package namedtest

import (
	"larder/caches/layers/layertest"
	"larder/caches/named"
)

// Way is one way in which a process may try to get around append-only.
type Way struct {
	Name   string
	Script string // for sh, in a cache that holds [Published]
	Kinds  []named.Violation
	// Copied are the kinds where the process had a private copy, which has no
	// overlayfs to stop it; nil means that they are the same.
	Copied     []named.Violation
	Adds       layertest.Tree // what is published beside
	Duplicates int
	Python     bool // needs python3 for a system call that the shell does not have
}

// Want returns the kinds for one way of making private layers.
func (w Way) Want(backing Backing) []named.Violation {
	if backing == Copied && w.Copied != nil {
		return w.Copied
	}
	return w.Kinds
}

// Publishing is the script that makes what the ways attack, and Published what
// it holds.
const Publishing = "echo one >a; echo two >b; mkdir d d/sub empty; echo three >d/c; echo deep >d/sub/x; ln -s a l"

// Published is what is there before, and must be there after each way.
func Published() layertest.Tree {
	return layertest.Tree{"a": "one\n", "b": "two\n", "d/c": "three\n", "d/sub/x": "deep\n", "empty/": "", "l": "-> a"}
}

// Ways lists every way that we know, each with what is to be reported.
func Ways() []Way {
	var ways []Way
	for _, group := range [][]Way{writing(), renaming(), replacing(), linking(), modes(), tricks()} {
		ways = append(ways, group...)
	}
	return ways
}

func writing() []Way {
	return []Way{
		{Name: "overwrite", Script: "printf ONE | dd of=a conv=notrunc status=none", Kinds: violations("a", "modified")},
		{Name: "overwrite the end", Script: "printf X | dd of=a bs=1 seek=2 conv=notrunc status=none", Kinds: violations("a", "modified")},
		{Name: "append", Script: "echo more >>a", Kinds: violations("a", "modified")},
		{Name: "truncate", Script: ": >a", Kinds: violations("a", "truncated")},
		{Name: "truncate a bit", Script: "truncate -s 2 a", Kinds: violations("a", "truncated")},
		{Name: "truncate and write", Script: "echo ONE >a", Kinds: violations("a", "modified")},
		{Name: "lengthen by a hole", Script: "truncate -s 1M a", Kinds: violations("a", "modified")},
		{Name: "sparse beside", Script: "truncate -s 64K n", Adds: layertest.Tree{"n": string(make([]byte, 64<<10))}},
		{Name: "mapped memory", Python: true, Script: `python3 -c 'import mmap
with open("a", "r+b") as f:
    with mmap.mmap(f.fileno(), 0) as m: m[0:3] = b"ONE"'`, Kinds: violations("a", "modified")},
		{Name: "punch a hole", Python: true, Script: `python3 -c 'import ctypes, os
f = os.open("a", os.O_RDWR)
if ctypes.CDLL(None).fallocate(f, 3, ctypes.c_long(0), ctypes.c_long(2)): os.pwrite(f, b"\0\0", 0)'`, Kinds: violations("a", "modified")},
		{Name: "write again", Script: "echo one >a", Duplicates: 1},
		{Name: "time", Script: "touch -d 2001-02-03 a", Duplicates: 1},
	}
}

func renaming() []Way {
	return []Way{
		{Name: "unlink", Script: "rm a", Kinds: violations("a", "deleted")},
		{Name: "unlink a link", Script: "rm l", Kinds: violations("l", "deleted")},
		{Name: "unlink and make again", Script: "rm a; echo ONE >a", Kinds: violations("a", "modified")},
		{Name: "unlink all", Script: "rm -r ./*", Kinds: violations("a", "deleted", "b", "deleted", "d", "deleted", "empty", "deleted", "l", "deleted")},
		{Name: "rename over", Script: "echo n >n; mv n a", Kinds: violations("a", "modified")},
		{Name: "rename one over the other", Script: "mv a b", Kinds: violations("a", "deleted", "b", "modified")},
		{Name: "rename away", Script: "mv a z", Kinds: violations("a", "deleted"), Adds: layertest.Tree{"z": "one\n"}},
		{Name: "rename into a directory", Script: "mv a d/a", Kinds: violations("a", "deleted"), Adds: layertest.Tree{"d/a": "one\n"}},
		{Name: "exchange by turns", Script: "mv a t; mv b a; mv t b", Kinds: violations("a", "modified", "b", "modified")},
		{Name: "exchange", Python: true, Script: `python3 -c 'import ctypes
if ctypes.CDLL(None).renameat2(-100, b"a", -100, b"b", 2): raise SystemExit("no exchange")'`, Kinds: violations("a", "modified", "b", "modified")},
		{Name: "rename with a whiteout", Python: true, Script: `python3 -c 'import ctypes, os
if ctypes.CDLL(None).renameat2(-100, b"a", -100, b"z", 4): os.rename("a", "z")'`, Kinds: violations("a", "deleted"),
			Copied: violations("a", "special"), Adds: layertest.Tree{"z": "one\n"}},
		{Name: "there and back", Script: "mv a t; mv t a; cp b t; mv t b", Duplicates: 2},
	}
}

func replacing() []Way {
	return []Way{
		{Name: "file by directory", Script: "rm a; mkdir a; echo x >a/x", Kinds: violations("a", "replaced")},
		{Name: "file by FIFO", Script: "rm a; mkfifo a", Kinds: violations("a", "special")},
		{Name: "file by link to itself", Script: "mv a a2; ln -s a2 a", Kinds: violations("a", "replaced"), Adds: layertest.Tree{"a2": "one\n"}},
		{Name: "link by file", Script: "rm l; echo one >l", Kinds: violations("l", "replaced")},
		{Name: "link by another", Script: "ln -sfn b l", Kinds: violations("l", "modified")},
		{Name: "directory by file", Script: "rm -r d; echo d >d", Kinds: violations("d", "replaced")},
		{Name: "directory by FIFO", Script: "rm -r d; mkfifo d", Kinds: violations("d", "special")},
		{Name: "directory by link", Script: "rm -r d; mkdir e; echo evil >e/c; ln -s e d", Kinds: violations("d", "replaced"), Adds: layertest.Tree{"e/c": "evil\n"}},
		{Name: "directory by link to the outside", Script: "rm -r d; ln -s /etc d", Kinds: violations("d", "replaced")},
		{Name: "directory deleted", Script: "rm -r d", Kinds: violations("d", "deleted")},
		{Name: "directory made again", Script: "rm -r d; mkdir d", Kinds: violations("d/c", "deleted", "d/sub", "deleted")},
		{Name: "directory replaced by a rename", Script: "mkdir n; echo evil >n/c; rm -r d; mv n d", Kinds: violations("d/c", "modified", "d/sub", "deleted")},
		{Name: "directory replaced below itself", Script: "rm -r d/sub; mkdir d/sub; echo evil >d/sub/x; echo n >d/sub/n",
			Kinds: violations("d/sub/x", "modified"), Adds: layertest.Tree{"d/sub/n": "n\n"}},
		{Name: "directory moved away", Script: "mv d e", Kinds: violations("d", "deleted"), Adds: layertest.Tree{"e/c": "three\n", "e/sub/x": "deep\n"}},
		{Name: "empty directory filled", Script: "echo x >empty/x", Adds: layertest.Tree{"empty/x": "x\n"}},
		{Name: "empty directory removed", Script: "rmdir empty", Kinds: violations("empty", "deleted")},
	}
}

func linking() []Way {
	return []Way{
		{Name: "hard link and write", Script: "ln a h; echo more >>h", Kinds: violations("a", "modified"), Adds: layertest.Tree{"h": "one\nmore\n"}},
		{Name: "hard link over", Script: "ln -f b a", Kinds: violations("a", "modified"), Duplicates: 1},
		{Name: "hard link, other name kept", Script: "ln a h; rm a", Kinds: violations("a", "deleted"), Adds: layertest.Tree{"h": "one\n"}},
		{Name: "write through a link", Script: "echo more >>l", Kinds: violations("a", "modified")},
		{Name: "write through a link of its own", Script: "ln -s d/sub/../c m; echo more >m", Kinds: violations("d/c", "modified"), Adds: layertest.Tree{"m": "-> d/sub/../c"}},
		{Name: "truncate through a link to a directory", Script: "ln -s d e; : >e/c", Kinds: violations("d/c", "truncated"), Adds: layertest.Tree{"e": "-> d"}},
		{Name: "link swapped under a writer", Script: "mkdir n; ln -s n s; echo 1 >s/c; ln -sfn d s; echo evil >s/c",
			Kinds: violations("d/c", "modified"), Adds: layertest.Tree{"n/c": "1\n", "s": "-> d"}},
	}
}

func modes() []Way {
	return []Way{
		{Name: "mode of a file", Script: "chmod 755 a", Kinds: violations("a", "mode")},
		{Name: "no mode at all", Script: "chmod 0 a", Kinds: violations("a", "mode")},
		{Name: "mode of a directory", Script: "chmod 700 d", Kinds: violations("d", "mode")},
		{Name: "mode of a directory, with an addition", Script: "chmod 555 d/sub; chmod 755 d/sub; echo n >d/sub/n; chmod 500 d/sub",
			Kinds: violations("d/sub", "mode"), Adds: layertest.Tree{"d/sub/n": "n\n"}},
		{Name: "mode of the root", Script: "chmod 711 ."},
		// What no cache keeps is no change either: tools that run with umask 0 would
		// break the rules each time.
		{Name: "writable by all", Script: "chmod 646 a", Duplicates: 1},
		{Name: "set-user-ID", Script: "chmod 4644 a", Duplicates: 1},
		{Name: "set-user-ID and executable", Script: "chmod 4755 a", Kinds: violations("a", "mode")},
	}
}

func tricks() []Way {
	return []Way{
		{Name: "FIFO", Script: "mkfifo p d/p", Kinds: violations("d/p", "special", "p", "special")},
		{Name: "socket", Python: true, Script: `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'`, Kinds: violations("s", "special")},
		// Through overlayfs nobody makes a whiteout; in a copy it is a special file.
		{Name: "whiteout", Script: "rm a; mknod a c 0 0 2>/dev/null || true", Kinds: violations("a", "deleted"), Copied: violations("a", "special")},
		{Name: "whiteout of nothing", Script: "mknod w c 0 0 2>/dev/null || true", Kinds: violations(), Copied: violations("w", "special")},
		{Name: "names of another form of whiteouts", Script: "touch .wh.a .wh..wh..opq d/.wh.c", Adds: layertest.Tree{".wh.a": "", ".wh..wh..opq": "", "d/.wh.c": ""}},
		{Name: "whiteout by attribute", Python: true, Script: ":" + mark("a", "whiteout", "y") + mark("d", "opaque", "x"), Duplicates: 1},
		{Name: "opaque by attribute", Python: true, Script: ":" + mark("d", "opaque", "y") + "; echo n >d/n", Adds: layertest.Tree{"d/n": "n\n"}},
		{Name: "redirect by attribute", Python: true, Script: ":" + mark("d", "redirect", "/empty") + mark("a", "metacopy", "") + mark("d", "origin", "x"), Duplicates: 1},
		{Name: "escaped attribute", Python: true, Script: ":" + mark("d", "overlay.opaque", "y") + mark("d", "overlay.overlay.opaque", "y") + "; echo n >d/n", Adds: layertest.Tree{"d/n": "n\n"}},
		{Name: "attributes on a new directory", Python: true, Script: "mkdir n; echo x >n/x" + mark("n", "opaque", "y") + mark("n/x", "whiteout", "y") + mark("n", "redirect", "/d"), Adds: layertest.Tree{"n/x": "x\n"}},
		{Name: "default rights of a directory", Python: true, Script: `python3 -c 'import os, struct
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, p, 0xffffffff) for t, p in ((1, 7), (4, 7), (16, 7), (32, 7)))
try: os.setxattr("d", "system.posix_acl_default", acl)
except OSError: pass'; echo n >d/n`, Adds: layertest.Tree{"d/n": "n\n"}},
	}
}

// mark sets an attribute of overlayfs, or is refused.
func mark(path, name, value string) string {
	return `; python3 -c 'import os, sys
try: os.setxattr(sys.argv[1], "user.overlay." + sys.argv[2], sys.argv[3].encode())
except OSError: pass' ` + path + " " + name + " '" + value + "'"
}
