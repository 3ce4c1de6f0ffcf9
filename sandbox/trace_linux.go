//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// trace tells whether those who had the network namespace of a process left one in it.
// What a process without capabilities can leave are sockets that nobody has closed yet,
// and what the kernel remembers of connections, which it opens none for without counting.
// It tells so in files of /proc, which the next one could read, too. It is for one
// goroutine at a time.
type trace struct {
	files   []*os.File
	silence [][]byte // what each held before any command could run
	text    [largestCount]byte
}

// largestCount is more than the kernel has to say in one of the files.
const largestCount = 16 << 10

// counts are the files, those that are read fastest first. Without IPv6 there are none
// with a 6 in their names.
func counts() []string { return []string{"sockstat", "rt6_stats", "snmp", "snmp6", "netstat"} }

// newTrace begins to look at the network namespace of a process that nobody has used.
func newTrace(pid int) *trace {
	t := &trace{}
	for _, name := range counts() {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if strings.Contains(name, "6") && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.close()
			return &trace{}
		}
		t.files = append(t.files, file)
		t.silence = append(t.silence, slices.Clone(t.read(file)))
	}
	return t
}

// isNone reports whether nothing tells of anybody. Where /proc does not say, something
// may. All processes that had the namespace must be gone.
func (t *trace) isNone() bool {
	for i, file := range t.files {
		now := t.read(file)
		if i == 0 {
			// The rest of this one is about all namespaces together.
			if !bytes.HasPrefix(now, []byte("sockets: used 0\n")) {
				return false
			}
		} else if len(now) == 0 || !bytes.Equal(now, t.silence[i]) {
			return false
		}
	}
	return len(t.files) > 0
}

// read gives all of a file as it is now; nothing when it cannot be told.
func (t *trace) read(file *os.File) []byte {
	n, err := unix.Pread(int(file.Fd()), t.text[:], 0)
	if err != nil || n == len(t.text) {
		return nil
	}
	return t.text[:n]
}

// close ends the looking. A trace that is nil was never begun.
func (t *trace) close() {
	if t == nil {
		return
	}
	for _, file := range t.files {
		file.Close()
	}
	t.files = nil
}

// leaveNothingToDo keeps the kernel from doing something in the network namespace
// later because of a process that is gone by then. In the present versions of their
// protocols it tells of multicast groups a while after a process has joined or left one,
// in the older ones at once. And it makes a key for the first socket that takes data
// with a connection, which root's user may read.
func (t *table) leaveNothingToDo() {
	t.setNetwork("ipv4/conf/all/force_igmp_version", "2")
	t.setNetwork("ipv6/conf/all/force_mld_version", "1", syscall.ENOENT) // there may be no IPv6
	t.at(stageNetwork, "")
	length, size := object(t, uint32(1))
	t.call(unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_STREAM|unix.SOCK_CLOEXEC), num(0)).into(regFile)
	t.call(unix.SYS_SETSOCKOPT, regFile.operand(), num(unix.SOL_TCP), num(unix.TCP_FASTOPEN), length, size)
	t.close(regFile)
}

// setNetwork changes a setting of the network namespace, which may be missing with
// one of the errors given.
func (t *table) setNetwork(name, value string, missing ...syscall.Errno) {
	name = "/proc/sys/net/" + name
	t.at(stageNetwork, name)
	t.call(unix.SYS_OPENAT, atCWD, t.text(name), num(unix.O_WRONLY|unix.O_CLOEXEC)).into(regFile).tolerate(missing...)
	var without []syscall.Errno
	if len(missing) > 0 {
		without = []syscall.Errno{syscall.EBADF}
	}
	t.call(unix.SYS_WRITE, regFile.operand(), t.bytes([]byte(value)), num(len(value))).tolerate(without...)
	t.call(unix.SYS_CLOSE, regFile.operand()).tolerate(without...)
}
