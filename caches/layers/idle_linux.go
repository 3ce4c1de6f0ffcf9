package layers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// smallest is how large a directory may be that never had much in it. Some file
// systems never make one smaller again, and looking through it takes the longer.
const smallest = 4096

// waiting lists the places that an idle folder has for [Run.Place]. It fails when
// anything in it is not as new: processes had these directories, and may have left
// attributes, access lists, flags or times behind, of which the next run is to
// see nothing. The folder itself and its private part were out of their reach.
func waiting(folder string) ([]string, error) {
	top, err := openPlace(unix.AT_FDCWD, folder)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	model, err := lookAt(top)
	if err == nil {
		err = model.alike(model, 0o700)
	}
	if err != nil {
		return nil, err
	}
	names, err := top.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var ready []string
	for _, name := range names {
		switch name {
		case lockName:
			continue
		case BuildPlace:
			err = examine(top, name, 0o755, model)
		case PrivatePlace:
			err = examinePrivate(top, model)
		default:
			err = fmt.Errorf("%s is not a part of an idle folder", name)
		}
		if err != nil {
			return nil, err
		}
		ready = append(ready, name)
	}
	return ready, nil
}

// examinePrivate looks at the directories behind /tmp and the home.
func examinePrivate(top *os.File, model form) error {
	private, err := openPlace(int(top.Fd()), PrivatePlace)
	if err != nil {
		return err
	}
	defer private.Close()
	is, err := lookAt(private)
	if err == nil {
		err = is.alike(model, 0o700)
	}
	if err != nil {
		return err
	}
	names, err := private.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch name {
		case TempPlace:
			err = examine(private, name, unix.S_ISVTX|0o777, model)
		case HomePlace:
			err = examine(private, name, 0o755, model)
		default:
			err = fmt.Errorf("%s is not a part of an idle folder", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// examine looks at a directory that processes had, and gives it the present time.
func examine(parent *os.File, name string, mode uint32, model form) error {
	place, err := openPlace(int(parent.Fd()), name)
	if err != nil {
		return err
	}
	defer place.Close()
	is, err := lookAt(place)
	if err == nil {
		err = is.alike(model, mode)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if left, err := place.Readdirnames(1); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s is not empty: %v, %w", name, left, err)
	}
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	return unix.UtimesNanoAt(int(parent.Fd()), name, now, unix.AT_SYMLINK_NOFOLLOW)
}

func openPlace(parent int, name string) (*os.File, error) {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// form is what directories that were made one after the other have in common.
type form struct {
	mode, user, group uint32
	size              int64
	attributes        int // length of the list of their names
	flags             uint32
	extended          extended
}

// extended is struct fsxattr, less what counts blocks.
type extended struct{ flags, extentSize, project, cowSize uint32 }

func lookAt(dir *os.File) (form, error) {
	fd := int(dir.Fd())
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return form{}, err
	}
	attributes, err := unix.Flistxattr(fd, nil)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return form{}, err
	}
	is := form{mode: stat.Mode & 0o7777, user: stat.Uid, group: stat.Gid, size: stat.Size, attributes: attributes}
	// A file system without flags has none that a process could have set.
	is.flags, _ = unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	is.extended = extendedOf(fd)
	return is, nil
}

// extendedOf is zero on a file system that has none of it.
func extendedOf(fd int) extended {
	var raw struct {
		flags, extentSize, extents, project, cowSize uint32
		_                                            [8]byte
	}
	const get = 0x801c581f // FS_IOC_FSGETXATTR
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), get, uintptr(unsafe.Pointer(&raw))); errno != 0 {
		return extended{}
	}
	return extended{raw.flags, raw.extentSize, raw.project, raw.cowSize}
}

// alike says what is other than in a new directory of this mode beside the model,
// which nobody but larder has had.
func (is form) alike(model form, mode uint32) error {
	want := model
	want.user, want.mode, want.size, want.attributes = uint32(os.Geteuid()), mode, min(is.size, smallest), 0
	if is != want {
		return fmt.Errorf("the directory is %+v, and a new one would be %+v", is, want)
	}
	return nil
}
