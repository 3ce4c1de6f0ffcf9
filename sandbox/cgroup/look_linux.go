package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Use is what the processes of a group have done so far.
type Use struct {
	// CPUTime is what all of them have used, those that have ended included.
	CPUTime time.Duration
	// OutOfMemory says that the kernel has killed one for the limit of memory.
	OutOfMemory bool
	// OutOfProcesses says that one could not be started for the limit.
	OutOfProcesses bool
}

// Look reads what the group has used. What cannot be read counts as nothing.
func (g *Group) Look() Use {
	var use Use
	for _, p := range g.all() {
		for _, kind := range p.kinds {
			switch kind {
			case Memory:
				use.OutOfMemory = p.outOfMemory()
			case Processes:
				use.OutOfProcesses = p.number("pids.events", "max") > 0
			case CPUTime:
				use.CPUTime = p.cpuTime()
			}
		}
	}
	return use
}

// chargeBatch is how much the kernel takes from a limit at one time, so that the
// most that was used may stay that far below it.
const chargeBatch = 64 * 4096

// outOfMemory: the counts of killed processes include those that died for want
// of memory in the whole machine; so a second number has to say that the limit
// of this group was met. The fail counts of version 1 are no longer kept.
func (p *part) outOfMemory() bool {
	if p.version == V1 {
		most := max(p.number("memory.max_usage_in_bytes", ""), p.number("memory.memsw.max_usage_in_bytes", ""))
		return p.number("memory.oom_control", "oom_kill") > 0 && most+chargeBatch >= p.number("memory.limit_in_bytes", "")
	}
	return p.number("memory.events", "oom_kill") > 0 && p.number("memory.events", "oom") > 0
}

func (p *part) cpuTime() time.Duration {
	if p.version == V1 {
		return time.Duration(p.number("cpuacct.usage", ""))
	}
	return time.Duration(p.number("cpu.stat", "usage_usec")) * time.Microsecond
}

// number reads the value behind a name in a file of lines, or with no name the
// one number that the file holds; zero when it is not there.
func (p *part) number(file, name string) int64 {
	text, err := os.ReadFile(filepath.Join(p.path, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if name != "" && len(fields) == 2 && fields[0] == name || name == "" && len(fields) == 1 {
			value, _ := strconv.ParseInt(fields[len(fields)-1], 10, 64) // the kernel writes numbers
			return value
		}
	}
	return 0
}
