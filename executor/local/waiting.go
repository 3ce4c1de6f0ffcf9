package local

import (
	"bytes"
	"fmt"
	"os"

	"larder/caches"
)

// turn tells the user what a run waits for, with lock=true.
type turn struct {
	ref   caches.Ref
	say   func(string)
	begun bool
	told  int // the stopped process that was told of
}

// waits is called now and then with the process that holds the cache, 0 when it
// is not known.
func (t *turn) waits(holder int) {
	who := "another action"
	if holder > 0 {
		who = fmt.Sprintf("another action (process %d)", holder)
	}
	if !t.begun {
		t.say(fmt.Sprintf("waiting for cache %s, which %s holds with lock=true", t.ref, who))
	}
	t.begun = true
	// One that was stopped may never go on, and nothing else would say why.
	if isStopped(holder) && t.told != holder {
		t.told = holder
		t.say(fmt.Sprintf("process %d, which holds cache %s, is stopped; kill -CONT %d lets it go on, kill -KILL %d ends it; waiting goes on", holder, t.ref, holder, holder))
	}
}

// isStopped reports whether a process was stopped by a signal, or by a debugger.
func isStopped(pid int) bool {
	if pid <= 0 {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The name, in parentheses, may hold any byte.
	rest := status[bytes.LastIndexByte(status, ')')+1:]
	fields := bytes.Fields(rest)
	return len(fields) > 0 && (string(fields[0]) == "T" || string(fields[0]) == "t")
}
