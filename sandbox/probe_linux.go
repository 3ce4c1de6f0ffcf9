//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"larder/sandbox/cgroup"
)

// Probe looks at what this machine offers to this user. It makes a sandbox to
// find out, and leaves nothing behind.
func Probe() Capabilities {
	return Capabilities{Kernel: kernelRelease(), Namespaces: Namespaced(), Seccomp: hasSeccomp(), MountAPI: hasMountAPI(), Groups: groups()}
}

// Namespaced makes a sandbox of namespaces and ends it, and says why not when that
// fails.
func Namespaced() error { return try(Config{}) }

// OverlayWorks makes an overlay on two directories in dir, which must exist
// and be writable, and says why not when that fails. It leaves nothing behind.
func OverlayWorks(dir string) error {
	place, err := os.MkdirTemp(dir, "overlay-*")
	if err != nil {
		return fmt.Errorf("sandbox: try an overlay: %w", err)
	}
	overlay := Overlay{Target: WorkDir}
	for _, name := range []string{"lower", "upper", "work"} {
		if mkdirErr := os.Mkdir(filepath.Join(place, name), 0o755); mkdirErr != nil {
			return errors.Join(fmt.Errorf("sandbox: try an overlay: %w", mkdirErr), Remove(place))
		}
	}
	overlay.Lowers = []string{filepath.Join(place, "lower")}
	overlay.Upper, overlay.Work = filepath.Join(place, "upper"), filepath.Join(place, "work")
	return errors.Join(try(Config{Overlays: []Overlay{overlay}}), Remove(place))
}

// try makes a sandbox that has nothing to run.
func try(cfg Config) error {
	cfg.Args = []string{"/nothing"}
	_, err := Run(context.Background(), cfg)
	return err
}

func hasSeccomp() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}

// hasMountAPI makes calls that fail for their arguments where they exist.
func hasMountAPI() bool {
	for _, number := range []uintptr{unix.SYS_FSOPEN, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR} {
		if _, _, errno := unix.Syscall6(number, ^uintptr(0), 0, ^uintptr(0), 0, 0, 0); errno == unix.ENOSYS {
			return false
		}
	}
	return true
}

func groups() map[Limit]int {
	found := map[Limit]int{}
	memory, processes, cpuTime := cgroup.Survey()
	for limit, version := range map[Limit]cgroup.Version{LimitMemory: memory, LimitProcesses: processes, LimitCPUTime: cpuTime} {
		if version != cgroup.None {
			found[limit] = int(version)
		}
	}
	return found
}
