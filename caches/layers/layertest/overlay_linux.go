package layertest

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnNamespaces makes a command start in user and mount namespaces of its own,
// where it may mount, whoever runs the test.
func OwnNamespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		// Only root keeps its capabilities over the start of a program by itself.
		AmbientCaps: []uintptr{
			unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER,
			unix.CAP_CHOWN, unix.CAP_FSETID, unix.CAP_MKNOD,
		},
	}
}

// mount goes by the new mount interface, which takes any number of layers.
func (p plan) mount(at string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	fd, err := unix.Fsopen("overlay", 0)
	if err != nil {
		return fmt.Errorf("fsopen: %w", err)
	}
	for _, lower := range p.Lowers {
		err = errors.Join(err, unix.FsconfigSetString(fd, "lowerdir+", lower))
	}
	err = errors.Join(err, unix.FsconfigSetString(fd, "upperdir", p.Upper), unix.FsconfigSetString(fd, "workdir", p.Work),
		unix.FsconfigSetFlag(fd, "userxattr"), unix.FsconfigCreate(fd))
	if err != nil {
		return fmt.Errorf("fsconfig: %w", err)
	}
	tree, err := unix.Fsmount(fd, 0, 0)
	if err != nil {
		return fmt.Errorf("fsmount: %w", err)
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
}
