package sandbox

import (
	"os"
	"time"
)

// What every sandbox has, whoever runs it.
const (
	// UserID and GroupID are the ids that a process sees as its own.
	UserID, GroupID = 1000, 1000
	// UserName is the name of the user and of the group, and the host name.
	UserName = "larder"
	// HomeDir is an empty writable directory, new for each run.
	HomeDir = "/home/larder"
	// WorkDir is the working directory when [Config.Dir] is empty.
	WorkDir = "/build"
)

// Network says which network a process can reach.
type Network uint8

const (
	// NetworkNone gives a network namespace with nothing but loopback.
	NetworkNone Network = iota
	// NetworkHost leaves the process in the network of the caller.
	NetworkHost
)

// Isolation says how far a process is kept from the machine that it runs on.
type Isolation uint8

const (
	// Namespaces is a sandbox as the package comment describes it.
	Namespaces Isolation = iota
	// Directory is a directory of the host to work in, and nothing that keeps a
	// process there: it is a process of the user like any other, and reaches what
	// that user reaches. It takes no namespaces, no mounts and no filter, so it is
	// to be had everywhere. On Linux processes have no capabilities, gain no
	// privileges, and every one is gone in the end, as in the other kind. Elsewhere
	// those that left their process group stay.
	Directory
)

// Bind makes a host path visible in the sandbox, with the mounts below it.
type Bind struct {
	// Source is an absolute host path; symbolic links in it are followed.
	Source string
	// Target is an absolute clean path in the sandbox. Missing directories on
	// the way are made; a symbolic link on the way is an error.
	Target string
	// Writable lets the process change the source. Without it the mount and
	// all mounts below it are read-only.
	Writable bool
}

// Overlay is a stack of directories that appears as one.
type Overlay struct {
	// Target is as in [Bind].
	Target string
	// Lowers are the read-only layers, the topmost first, at most 500.
	Lowers []string
	// Upper takes all changes, and an empty directory for each mount point below
	// Target that no layer has. When it is "" the mount is read-only.
	Upper string
	// Work is an empty directory on the file system of Upper. It is not
	// reusable after the run: the mount is marked volatile, so that neither the
	// process nor the end of the sandbox waits for the disk.
	Work string
}

// Symlink is a symbolic link that the plan makes before anything is mounted.
type Symlink struct{ Path, To string }

// File is a small file that the plan makes, read-only for the process.
type File struct {
	Path    string
	Content []byte
}

// View says which parts of a host a process sees. The zero View shows none.
type View struct {
	Binds    []Bind
	Symlinks []Symlink
	Files    []File
}

// Limit names a limit.
type Limit string

// The limits of a run.
const (
	LimitMemory    Limit = "memory"
	LimitProcesses Limit = "pids"
	LimitCPUTime   Limit = "cpu-time"
	LimitOutput    Limit = "output" // watched by the caller, but for FileSize
)

// Limits hold for set-up, command and tear-down, all their processes together;
// zero is none. The first one that strikes ends what is running with SIGKILL,
// and [Status.Struck] names it. A tear-down still runs, under the same limits,
// and what strikes there is only its own failure.
//
// Where this user can have no control group for one of them, as package cgroup
// describes, [Status.Loose] names it, and it is a resource limit of each process
// alone.
type Limits struct {
	// Memory is in bytes, with the page cache and the memory file systems of the
	// processes. Without a control group it is how much private memory a process
	// can ask for, which then fails with ENOMEM and does not count as struck.
	Memory uint64
	// Processes is the most processes and threads at one time. Without a control
	// group one more cannot be started, which does not count as struck, and the
	// kernel does not hold root to it.
	Processes uint64
	// CPUTime is looked at some forty times a second. One process alone gets
	// SIGXCPU at the next whole second above, and SIGKILL one later.
	CPUTime time.Duration
	// FileSize is the largest file that a process may write, in bytes. It gets
	// SIGXFSZ, or EFBIG when it ignores that.
	FileSize uint64
}

// Config describes one run. Run does not change it.
type Config struct {
	// Isolation is the kind of sandbox. In a [Directory] Dir is the place of the
	// host to work in, and has to be there; View, Network, AllowUserns and Hostname
	// mean nothing, and Binds and Overlays are refused: whoever wants something
	// there puts it there.
	Isolation Isolation
	// View is what of the host is visible; see [SystemView].
	View View
	// Binds and Overlays are mounted in order of the depth of their targets.
	Binds    []Bind
	Overlays []Overlay
	// listsLayers has overlays mounted as Linux before 6.7 needs it. Later ones take both.
	listsLayers bool
	// Private is an existing host directory for this run alone, on a disk:
	// /tmp and the home are made in it (tmp, home) and stay after the run for
	// the caller to remove. When it is empty both are in memory, 256 MiB each. In a
	// [Directory] they are made, and it is for Env to name them.
	Private string
	// Network is which network is reachable.
	Network Network
	// AllowUserns lets processes make user namespaces, and in them namespaces of
	// other kinds and mounts. It puts the parts of the kernel within reach that
	// Run otherwise keeps away; nothing that the sandbox hides becomes visible.
	AllowUserns bool
	// Hostname replaces the host name; empty means [UserName].
	Hostname string

	// Args is the command. A first argument without a slash is looked up along
	// PATH of Env, inside the sandbox.
	Args []string
	// Env is the whole environment, as NAME=VALUE.
	Env []string
	// Dir is the working directory; empty means [WorkDir].
	Dir string
	// Setup and Teardown are commands to run before and after, in the same
	// sandbox, with Env and Dir; empty means none. Their output goes to Log.
	Setup, Teardown []string

	// Stdin, Stdout, Stderr and Log are given to the processes as they are, in
	// blocking mode; nil means /dev/null. Run does not close them.
	Stdin, Stdout, Stderr, Log *os.File
	// Terminal says that Stdin is the controlling terminal and that the caller
	// is in its foreground: the command then becomes the foreground group, and
	// stops and continues together with the caller. Otherwise the command has a
	// session of its own and no controlling terminal.
	Terminal bool

	// Signals are passed on to the process group of what is running.
	Signals <-chan os.Signal
	// Timeout bounds the command, not the set-up; zero means none. A tear-down has
	// as long for itself, and never less than Grace.
	Timeout time.Duration
	// Grace is how long processes have between SIGTERM and SIGKILL after the
	// time-out or the cancellation of the context; it also bounds a tear-down
	// from then on. Zero means two seconds.
	Grace time.Duration
	// Limits are what the processes may use of the machine.
	Limits Limits
	// Final says that the caller ends soon after the run. Process 1 then stays until that,
	// and goes with it: the memory that the two share is given back by process 1, and not
	// before anybody hears of the end of the caller, and its mounts are taken down when the
	// caller needs the processors no more. Where it is not certain that somebody waits for
	// what a process leaves, outside the first process id namespace, process 1 is gone
	// when Run returns, and so it is after a run that was ended by its time, a limit or the
	// context. In a [Directory], and with a [Pool], it means nothing.
	Final bool
	// Began is told the number that process 1 has outside, once, before anything
	// runs in the sandbox. It may be nil, and is not called where there is no
	// process 1.
	Began func(processOne int)
	// Exceeded gives limits that the caller has seen strike. They are ended as
	// those of Limits.
	Exceeded <-chan Limit
}

// defaultGrace is used for a zero Config.Grace.
const defaultGrace = 2 * time.Second

// patience is how long a tear-down may take that nobody interrupts; zero is no bound.
func (cfg *Config) patience() time.Duration {
	if cfg.Timeout <= 0 {
		return 0
	}
	return max(cfg.Timeout, cfg.grace())
}

func (cfg *Config) grace() time.Duration {
	if cfg.Grace > 0 {
		return cfg.Grace
	}
	return defaultGrace
}
