//go:build amd64 || arm64

package sandbox

import (
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"larder/sandbox/cgroup"
)

// groupFiles is how many files of a control group process 1 can get: one of
// version 2, and three of version 1.
const groupFiles = 4

// cloneArgs is struct clone_args of clone3.
type cloneArgs struct {
	flags  uint64
	_      [3]uint64
	signal uint64
	_      [5]uint64
	group  uint64 // a descriptor, put in by process 1
}

// cloned reports whether the processes of stages are cloned into their group. The
// filter refuses clone3, so process 1 then does without, and they install it.
func cloned(group *cgroup.Group) bool { return group.Directory() != nil }

// stageFlags make the process of a stage, which the caller waits for until it is
// another program. It shares the memory of the caller, unless memory is limited:
// when there is not enough for it to begin, the kernel kills all who share it.
func stageFlags(limits Limits) uint64 {
	if limits.Memory > 0 {
		return unix.CLONE_VFORK
	}
	return unix.CLONE_VM | unix.CLONE_VFORK
}

// cloneInto says how the process of a stage is made inside of the group.
func (t *table) cloneInto(flags uint64, group *cgroup.Group) *cloneArgs {
	if !cloned(group) {
		return nil
	}
	args := &place[cloneArgs](t.arena, 1)[0]
	args.flags, args.signal = flags|unix.CLONE_INTO_CGROUP, uint64(syscall.SIGCHLD)
	return args
}

// enterGroup moves the process, while it has one thread, into the parts of the
// group that it was not cloned into.
func (t *table) enterGroup(group *cgroup.Group) {
	t.at(stageGroup, "")
	first := regGroup
	if cloned(group) {
		first++
	}
	for i := range group.Tasks() {
		t.call(unix.SYS_WRITE, (first + register(i)).operand(), t.text("0"), num(1))
	}
}

// filesOf lists the descriptors of a group in the order of their registers.
func filesOf(group *cgroup.Group) []int {
	var files []int
	if directory := group.Directory(); directory != nil {
		files = append(files, int(directory.Fd()))
	}
	for _, file := range group.Tasks() {
		files = append(files, int(file.Fd()))
	}
	return files
}

// guard holds one run to its limits.
type guard struct {
	limits Limits
	group  *cgroup.Group
	ticker *time.Ticker // nil when there is nothing to look at
	loose  []Limit
	cause  error
}

// lookEvery is how often the use of a group is looked at.
const lookEvery = 25 * time.Millisecond

// holdTo makes what limits need. A group that cannot be made is no error: the
// limits are then loose.
func holdTo(limits Limits) guard {
	g := guard{limits: limits}
	wanted := cgroup.Limits{Memory: limits.Memory, Processes: limits.Processes, CPUTime: limits.CPUTime > 0}
	if wanted == (cgroup.Limits{}) {
		return g
	}
	g.group, g.cause = cgroup.New(wanted)
	if limits.Memory > 0 {
		g.find(cgroup.Memory, LimitMemory)
	}
	if limits.Processes > 0 {
		g.find(cgroup.Processes, LimitProcesses)
	}
	if limits.CPUTime > 0 {
		g.find(cgroup.CPUTime, LimitCPUTime)
	}
	return g
}

// find notes a limit that the group does not hold, and watches one that it does.
func (g *guard) find(kind cgroup.Kind, limit Limit) {
	switch {
	case !g.group.Holds(kind):
		g.loose = append(g.loose, limit)
	case g.ticker == nil:
		g.ticker = time.NewTicker(lookEvery)
	}
}

func (g *guard) ticks() <-chan time.Time {
	if g.ticker == nil {
		return nil
	}
	return g.ticker.C
}

// close removes the group. What cannot be removed is for the next run that has
// limits.
func (g *guard) close() {
	if g.ticker != nil {
		g.ticker.Stop()
	}
	_ = g.group.Close()
}

// struck lists the limits of the group that have struck so far.
func (g *guard) struck() []Limit {
	if g.ticker == nil {
		return nil
	}
	var struck []Limit
	use := g.group.Look()
	if use.OutOfMemory {
		struck = append(struck, LimitMemory)
	}
	if use.OutOfProcesses {
		struck = append(struck, LimitProcesses)
	}
	if g.limits.CPUTime > 0 && use.CPUTime >= g.limits.CPUTime {
		struck = append(struck, LimitCPUTime)
	}
	return struck
}

// check looks for limits that have struck.
func (s *supervisor) check() {
	if !s.over {
		for _, limit := range s.limits.struck() {
			s.strike(limit)
		}
	}
}

// strike ends what is running because of a limit. The request names the stage:
// what has ended meanwhile by itself, as by the kernel's own kill, is followed by
// a tear-down, which is not meant. As it may come too early for a command that
// follows a set-up, it is made again with the next look.
func (s *supervisor) strike(limit Limit) {
	if s.over {
		return
	}
	if !slices.Contains(s.status.Struck, limit) {
		s.status.Struck = append(s.status.Struck, limit)
	}
	s.box.ask(request{kind: requestSkip})
	s.box.ask(request{requestKill, s.present() + 1})
	if !s.ending {
		s.ending = true
		s.set(alarmKill, s.cfg.grace())
	}
}

// notStarted says what kept the process of a stage from its program.
func (s *supervisor) notStarted(r record) error {
	stage := &s.plan.stages[r.stage]
	e := &SetupError{Stage: stage.steps[r.index].stage, Path: stage.program, Errno: syscall.Errno(r.errno)}
	if r.index == 0 && cloned(s.limits.group) {
		e.Stage = stageGroup
	}
	return e
}

// present is the stage that runs as far as is known.
func (s *supervisor) present() uint32 {
	if s.status.Setup == nil && s.plan.stages[stageSetup].program != "" {
		return stageSetup
	}
	return stageCommand
}

// settle looks for limits once more when a stage has ended, and for those that
// are told by nothing but the end itself.
func (s *supervisor) settle(r record, step StepStatus) {
	if r.stage == stageTeardown {
		return
	}
	s.check()
	used := time.Duration(r.user+r.system) * time.Microsecond
	if limit := s.cfg.Limits.CPUTime; limit > 0 && (step.Signal == syscall.SIGXCPU || used >= limit) {
		s.strike(LimitCPUTime)
	}
	if s.cfg.Limits.FileSize > 0 && ended(step, syscall.SIGXFSZ) {
		s.strike(LimitOutput)
	}
}

// ended reports whether a signal ended the process, or one that a shell waited
// for as its last.
func ended(step StepStatus, signal syscall.Signal) bool {
	return step.Signal == signal || step.ExitCode == 128+int(signal)
}

// The kernel knows the size of this structure by its version.
var _ [88]byte = [unsafe.Sizeof(cloneArgs{})]byte{}
