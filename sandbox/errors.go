package sandbox

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrUnsupported is returned by everything but a [Directory] on systems that are
// not Linux on amd64 or arm64.
var ErrUnsupported = errors.New("namespaces need Linux on amd64 or arm64")

// ErrConfig marks a [Config] that is wrong in itself.
var ErrConfig = errors.New("invalid sandbox configuration")

// ErrLost says that process 1 of a sandbox ended before its work was done,
// which only somebody else's SIGKILL or a lack of memory can cause.
var ErrLost = errors.New("sandbox: its process 1 was killed from outside, or memory ran out; run the command again")

// SetupError says which step of making the sandbox failed. No process of the
// caller's was started then, and nothing is left behind.
type SetupError struct {
	// Stage names the step, such as "clone" or "mount overlay".
	Stage string
	// Path is what the step was about, or empty.
	Path string
	// Errno is the kernel's answer.
	Errno syscall.Errno
}

// Unwrap gives the errno, for errors.Is.
func (e *SetupError) Unwrap() error { return e.Errno }

// Error names the step, the path, the kernel's answer and what to do.
func (e *SetupError) Error() string {
	text := "sandbox: " + e.Stage
	if e.Path != "" {
		text += " " + e.Path
	}
	text += ": " + e.Errno.Error()
	if advice := e.Advice(); advice != "" {
		text += "; " + advice
	}
	return text
}

// advices says what to do about each errno at a stage; the zero errno stands
// for all others.
func advices(stage string) map[syscall.Errno]string {
	switch stage {
	case stageClone:
		return map[syscall.Errno]string{
			syscall.EPERM:  "user namespaces are not allowed here; in a sandbox of larder run the outer one with --allow-userns, else allow them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), or in a container drop its seccomp restriction on clone",
			syscall.ENOSPC: "the limit of namespaces is reached; raise the sysctls user.max_user_namespaces and its neighbours",
			syscall.EUSERS: "user namespaces are nested too deeply; run outside of the other sandbox",
			syscall.EAGAIN: "the limit of processes is reached; raise ulimit -u or run fewer at a time",
			syscall.ENOMEM: "memory is short; run fewer at a time",
			syscall.EINVAL: "this kernel is built without some kind of namespace",
		}
	case stageIDs:
		return map[syscall.Errno]string{
			syscall.EPERM:  "this process may not map its own id; as root in a container it needs the capability SETFCAP",
			syscall.EACCES: "this process may not write its own id map; the larder binary has to be readable by its user, and AppArmor must allow user namespaces",
		}
	case stageRoot:
		const policy = "a security policy forbids mounts in user namespaces here; on Ubuntu set the sysctl kernel.apparmor_restrict_unprivileged_userns=0 or give larder an AppArmor profile that allows userns, in a container allow mounts"
		return map[syscall.Errno]string{syscall.EPERM: policy, syscall.EACCES: policy}
	case stageProc:
		return map[syscall.Errno]string{syscall.EPERM: "/proc is partly hidden here, as in many containers; give the container an unmasked /proc (systempaths=unconfined)"}
	case stageOverlay:
		return map[syscall.Errno]string{
			syscall.EINVAL: "overlays need Linux 5.11 or newer, at most 500 layers (200 before Linux 6.7), an upper directory on a local file system that has user extended attributes, and an empty work directory that no other run has used",
			syscall.EPERM:  "overlays in user namespaces need Linux 5.11 or newer",
			syscall.ENODEV: "this kernel has no overlayfs; load the module (modprobe overlay)",
			syscall.ENOENT: "a layer is missing",
			syscall.EBUSY:  "the upper or the work directory is in use by another sandbox",
		}
	case StageTarget:
		return map[syscall.Errno]string{
			syscall.ELOOP:   "a symbolic link is on the way to this place; name the place that it points to",
			syscall.ENOTDIR: "something on the way to this place is no directory, or the place holds a file and not a directory",
			syscall.EROFS:   "the directory that should hold this place is read-only; choose a place outside of it",
			syscall.EEXIST:  "the place holds a directory and not a file",
		}
	case stageBind:
		return map[syscall.Errno]string{
			syscall.ENOENT: "this host path does not exist",
			syscall.EACCES: "this host path cannot be reached by the user",
		}
	case stageDir:
		return map[syscall.Errno]string{syscall.ENOENT: "the working directory does not exist in the sandbox; make it, or name another"}
	case stageGroup:
		return map[syscall.Errno]string{0: "this machine does not let processes into control groups of their own (larder doctor); leave out --memory, --pids and --cpu-time"}
	case stageSeccomp:
		return map[syscall.Errno]string{0: "the kernel needs seccomp filters (CONFIG_SECCOMP_FILTER)"}
	}
	return nil
}

// Advice says what to do about the error; empty when nothing is known.
func (e *SetupError) Advice() string {
	known := advices(e.Stage)
	for _, errno := range []syscall.Errno{e.Errno, 0} {
		if text := known[errno]; text != "" {
			return text
		}
	}
	if e.Errno == syscall.ENOSYS {
		return "this needs Linux 5.12 or newer"
	}
	return ""
}

// Overlay reports whether the kernel refused to mount an overlay, which a
// caller can do without by copying.
func (e *SetupError) Overlay() bool { return e.Stage == stageOverlay }

// Unavailable reports whether the kernel refused what no sandbox of namespaces
// can do without, so that the next one would fail as well: then there is the
// [Directory].
func (e *SetupError) Unavailable() bool {
	switch e.Errno {
	case syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE:
		return false // another time it may be there
	}
	switch e.Stage {
	case stageClone, stageIDs, stageRoot, stageTmpfs, stageProc, stageDev, stageNetwork, stagePivot, stageCaps, stageSeccomp:
		return true
	case stageBind, StageTarget, stageStdio:
		return e.Errno == syscall.ENOSYS
	}
	return false
}

// StageTarget is the stage of [SetupError] at which something of the caller's is
// put into its place.
const StageTarget = "make room for the mount at"

// Names of the stages of making a sandbox, for messages and for advice.
const (
	stageClone   = "create namespaces"
	stageIDs     = "map the user"
	stageStdio   = "hand over file descriptors"
	stageRoot    = "make the root"
	stageFile    = "make"
	stageBind    = "bind"
	stageOverlay = "mount the overlay at"
	stageTmpfs   = "mount a memory file system at"
	stageProc    = "mount /proc"
	stageDev     = "make the device"
	stageNetwork = "bring up loopback"
	stagePivot   = "enter the root"
	stageDir     = "enter the directory"
	stageCaps    = "drop privileges"
	stageSeccomp = "install the system call filter"
	stageSuper   = "supervise"
	stageChild   = "start a process"
	stageGroup   = "enter the control group"
)

// configError makes an error that is ErrConfig and says what is wrong.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
}
