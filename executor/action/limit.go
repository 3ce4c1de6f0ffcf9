package action

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits are what an action may use of the machine besides wall time, all its
// processes together; zero is no limit.
type Limits struct {
	Memory  int64 // bytes
	Pids    int   // processes and threads at one time
	CPUTime time.Duration
	// Output, in bytes, bounds each of two things: what is printed, on standard
	// output and standard error together, and what lies on the disk.
	Output int64
}

// Names of the limits in a result record.
const (
	LimitTimeout = "timeout"
	LimitMemory  = "memory"
	LimitPids    = "pids"
	LimitCPUTime = "cpu-time"
	LimitOutput  = "output"
)

// The kernel has no more ids for processes, and no program starts in less memory.
const (
	mostPids    = 1 << 22
	leastMemory = 1 << 20
)

func (v *validator) limits(s Spec) Limits {
	limits := Limits{Memory: v.size("memory", s.Memory), Pids: s.Pids, CPUTime: v.duration("cpu-time", s.CPUTime), Output: v.size("output-limit", s.OutputLimit)}
	if s.Pids < 0 || s.Pids > mostPids {
		v.refuse("pids %d: give a number of processes from 1 to %d", s.Pids, mostPids)
	}
	if limits.Memory > 0 && limits.Memory < leastMemory {
		v.refuse("memory %q: no program runs in so little; give 1M or more", s.Memory)
	}
	return limits
}

func (v *validator) size(what, text string) int64 {
	if text == "" {
		return 0
	}
	bytes, err := ParseSize(text)
	if err != nil {
		v.refuse("%s: %w", what, err)
	} else if bytes == 0 {
		v.refuse("%s %q: give a size above zero, or leave it out for no limit", what, text)
	}
	return bytes
}

func (v *validator) duration(what, text string) time.Duration {
	if text == "" {
		return 0
	}
	duration, err := time.ParseDuration(text)
	if err != nil || duration <= 0 {
		v.refuse("%s %q: give a length of time above zero, with its unit, such as 90s or 5m", what, text)
	}
	return duration
}

// properties are part of the key: a command may have another answer under
// another limit. An action without limits has none of them.
func (l Limits) properties() []Property {
	var properties []Property
	for _, limit := range []struct {
		name  string
		value int64
	}{{LimitMemory, l.Memory}, {LimitPids, int64(l.Pids)}, {LimitCPUTime, int64(l.CPUTime)}, {LimitOutput, l.Output}} {
		if limit.value > 0 {
			properties = append(properties, Property{"larder-limit-" + limit.name, strconv.FormatInt(limit.value, 10)})
		}
	}
	return properties
}

// ParseSize reads a number of bytes: 4096, 500K, 1.5G, 2GiB. All units are
// powers of 1024.
func ParseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "kKMGTPEiB")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(text[len(number):]), "B"), "i")
	power := 0
	if unit != "" {
		power = 1 + strings.Index("KMGTPE", strings.ToUpper(unit))
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	value *= math.Pow(1024, float64(power))
	if err != nil || len(unit) > 1 || unit != "" && power == 0 || !(value >= 0 && value < math.MaxInt64) {
		return 0, fmt.Errorf("%q is no size; write one such as 500M, 1.5G or 4096", text)
	}
	return int64(value), nil
}
