package main

import (
	"fmt"
	"strings"

	"larder/executor/action"
)

// limitText says which limits ended the command, and what to do.
func limitText(wanted *action.Action, hit []string) string {
	var said, flags []string
	for _, limit := range hit {
		what, flag := describeLimit(wanted, limit)
		said, flags = append(said, what), append(flags, flag)
	}
	return fmt.Sprintf("%s %s and was ended%s; make it need less, or raise %s",
		wanted.Argv[0], strings.Join(said, " and "), notPublished(wanted), strings.Join(flags, " and "))
}

// describeLimit says what a command did that went over a limit, and its flag.
func describeLimit(wanted *action.Action, limit string) (what, flag string) {
	limits := wanted.Limits
	switch limit {
	case action.LimitMemory:
		return "needed more memory than " + binarySize(limits.Memory), "--memory"
	case action.LimitPids:
		return fmt.Sprintf("wanted more than %d processes and threads at one time", limits.Pids), "--pids"
	case action.LimitCPUTime:
		return fmt.Sprintf("used %s of processor time", limits.CPUTime), "--cpu-time"
	case action.LimitTimeout:
		return fmt.Sprintf("ran longer than %s", wanted.Timeout), "--timeout"
	}
	return fmt.Sprintf("printed, or wrote to disk, more than %s", binarySize(limits.Output)), "--output-limit"
}
