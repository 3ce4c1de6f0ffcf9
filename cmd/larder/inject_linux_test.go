package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Faults of a disk, made where they come from: at the system call. A process
// puts a filter on itself that asks its parent about every call that may touch a
// file, and becomes larder. The parent looks whether the call is about the store
// and answers with an errno or lets it go on. (seccomp_unotify(2), Linux 5.19.)

// injected is the name under which the test binary is a larder with the filter.
const injected = "larder-injected"

// listenerSocket is the descriptor on which it hands its filter to the parent.
const listenerSocket = 3

// callClass says what a call does to a store.
type callClass uint8

const (
	reads callClass = iota + 1
	changes
)

// watchedCalls are the system calls that touch files, and where their path is.
func watchedCalls() map[uint32]call {
	at := func(class callClass, args ...int) call { return call{class: class, paths: args} }
	of := func(class callClass) call { return call{class: class, isDescriptor: true} }
	return map[uint32]call{
		unix.SYS_OPENAT: {class: reads, paths: []int{0}, isOpen: true},
		unix.SYS_READ:   of(reads), unix.SYS_PREAD64: of(reads), unix.SYS_GETDENTS64: of(reads),
		unix.SYS_NEWFSTATAT: at(reads, 0),
		unix.SYS_WRITE:      of(changes), unix.SYS_PWRITE64: of(changes), unix.SYS_FTRUNCATE: of(changes),
		unix.SYS_FCHMOD: of(changes), unix.SYS_COPY_FILE_RANGE: {class: changes, isDescriptor: true, descriptor: 2},
		unix.SYS_MKDIRAT: at(changes, 0), unix.SYS_UNLINKAT: at(changes, 0), unix.SYS_FCHMODAT: at(changes, 0),
		unix.SYS_UTIMENSAT: at(changes, 0), unix.SYS_MKNODAT: at(changes, 0), unix.SYS_SYMLINKAT: at(changes, 1),
		unix.SYS_RENAMEAT: at(changes, 0, 2), unix.SYS_RENAMEAT2: at(changes, 0, 2), unix.SYS_LINKAT: at(changes, 0, 2),
	}
}

// call is how a system call says which file it is about.
type call struct {
	class        callClass
	paths        []int // arguments that are a directory, each with a path behind it
	isOpen       bool  // flags decide on the class
	isDescriptor bool
	descriptor   int // the argument that is the descriptor
}

// becomeInjected puts the filter on this process and becomes larder.
func becomeInjected() {
	runtime.LockOSThread()
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "inject:", err)
		os.Exit(99)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		fail(err)
	}
	filter := watchFilter()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const waitKillable = 1 << 5
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|waitKillable, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		fail(errno)
	}
	if err := unix.Sendmsg(listenerSocket, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		fail(err)
	}
	unix.Close(listenerSocket)
	fail(unix.Exec("/proc/self/exe", append([]string{"larder"}, os.Args[1:]...), os.Environ()))
}

// watchFilter asks about the watched calls and allows the rest.
func watchFilter() []unix.SockFilter {
	load := unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0} // the number of the call
	filter := []unix.SockFilter{load}
	for number := range watchedCalls() {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	return append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

// notice is what the kernel asks, answer what it is told.
type (
	notice struct {
		ID    uint64
		PID   uint32
		Flags uint32
		Nr    uint32
		Arch  uint32
		IP    uint64
		Args  [6]uint64
	}
	answer struct {
		ID    uint64
		Value int64
		Error int32
		Flags uint32
	}
)

// injector decides which calls fail.
type injector struct {
	store  string // of the larder that runs
	folder string // calls about what is in it fail; "" is the store
	class  callClass
	errno  unix.Errno
	first  int // the number of the first call that fails, from 1
	last   int
	seen   int
	said   []string // the calls that failed
	calls  map[uint32]call
}

// run runs larder under the injector.
func (in *injector) run(t testing.TB, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	in.folder = cmp.Or(in.folder, in.store)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "listener")
	program, err := os.Executable()
	check(t, err)
	var out, said bytes.Buffer
	command := &exec.Cmd{
		Path: program, Args: append([]string{injected}, args...), Dir: dir, ExtraFiles: []*os.File{theirs}, Stdout: &out, Stderr: &said,
		Env: append(os.Environ(), "LARDER_STORE="+in.store, "GORACE="+noRaceSleep),
	}
	check(t, command.Start())
	theirs.Close()
	var watch sync.WaitGroup
	if listener, err := receiveListener(ours); err == nil {
		watch.Go(func() { in.watch(listener) })
	} else {
		t.Errorf("the filter did not come: %v", err)
	}
	unix.Close(ours)
	err = command.Wait()
	watch.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), said.String(), command.ProcessState.ExitCode()
}

func receiveListener(socket int) (int, error) {
	space := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), space, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(space[:n])
	if err != nil || len(messages) != 1 {
		return 0, errors.Join(err, errors.New("no descriptor"))
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return descriptors[0], nil
}

// watch answers until every process with the filter is gone.
func (in *injector) watch(listener int) {
	defer unix.Close(listener)
	for {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			if poll[0].Revents != 0 {
				return
			}
			continue
		}
		var asked notice
		if control(listener, 0xc0502100, unsafe.Pointer(&asked)) != nil {
			continue // the process died meanwhile
		}
		reply := answer{ID: asked.ID, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if in.fails(&asked) {
			reply.Error, reply.Flags = -int32(in.errno), 0
		}
		_ = control(listener, 0xc0182101, unsafe.Pointer(&reply))
	}
}

func control(fd int, request uintptr, data unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(data)); errno != 0 {
		return errno
	}
	return nil
}

// fails counts a call and says whether it is to fail.
func (in *injector) fails(asked *notice) bool {
	if in.calls == nil {
		in.calls = watchedCalls()
	}
	call := in.calls[asked.Nr]
	class := call.class
	if call.isOpen && asked.Args[2]&(unix.O_CREAT|unix.O_WRONLY|unix.O_RDWR) != 0 {
		class = changes
	}
	if class != in.class {
		return false
	}
	paths := call.about(asked)
	if !slices.ContainsFunc(paths, func(path string) bool { return path == in.folder || strings.HasPrefix(path, in.folder+"/") }) {
		return false
	}
	in.seen++
	if in.seen < in.first || in.seen > in.last {
		return false
	}
	in.said = append(in.said, strings.ReplaceAll(fmt.Sprintf("%d: call %d on %v", in.seen, asked.Nr, paths), in.store, "STORE"))
	return true
}

// about lists the files that a call is about.
func (c call) about(asked *notice) []string {
	process := fmt.Sprintf("/proc/%d/", asked.PID)
	if c.isDescriptor {
		path, _ := os.Readlink(fmt.Sprintf("%sfd/%d", process, int32(asked.Args[c.descriptor])))
		return []string{path}
	}
	var paths []string
	for _, arg := range c.paths {
		name := textAt(process+"mem", asked.Args[arg+1])
		if !filepath.IsAbs(name) {
			folder := process + "cwd"
			if descriptor := int32(asked.Args[arg]); descriptor != unix.AT_FDCWD {
				folder = fmt.Sprintf("%sfd/%d", process, descriptor)
			}
			real, _ := os.Readlink(folder)
			name = filepath.Join(real, name)
		}
		paths = append(paths, filepath.Clean(name))
	}
	return paths
}

// textAt reads a text that ends with a zero from the memory of a process.
func textAt(memory string, address uint64) string {
	file, err := os.Open(memory)
	if err != nil {
		return ""
	}
	defer file.Close()
	var text [unix.PathMax]byte
	n, _ := file.ReadAt(text[:], int64(address))
	name, _, _ := bytes.Cut(text[:n], []byte{0})
	return string(name)
}

// TestTheKernelsStructuresHaveTheirSizes: the requests above hold them.
func TestTheKernelsStructuresHaveTheirSizes(t *testing.T) {
	if n, m := binary.Size(notice{}), binary.Size(answer{}); n != 0x50 || m != 0x18 {
		t.Errorf("%d and %d bytes", n, m)
	}
}
