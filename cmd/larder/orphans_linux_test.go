package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphans is a script with processes that outlive whom they can: in a session of
// its own, deaf to signals, and stopped. Their command lines hold a mark.
const orphans = `(setsid sleep 1000.%[1]s &); (trap "" TERM HUP INT; sleep 1000.%[1]s; :) & (sleep 1000.%[1]s; :) & kill -STOP $!; sleep 1000.%[1]s; :`

// TestKillsOfLarderLeaveNobody kills larder with SIGKILL at random moments, 200
// times in the long form. No process, no mount and no control group stays.
func TestKillsOfLarderLeaveNobody(t *testing.T) {
	needSandbox(t)
	kills := 8
	if os.Getenv("LARDER_STRESS") != "" {
		kills = 200
	}
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
	s.write("input", "some")
	mark := fmt.Sprintf("%d%d", os.Getpid(), time.Now().UnixNano())
	limited := []string{"run", "--results", "off", "--memory", "1G", "--pids", "50", "--cpu-time", "1h", "--output-limit", "1G", "--mutable", "m=m", "-i", "input", "--"}
	var killed []string
	for i := range kills {
		command := s.command(append(slices.Clone(limited), "sh", "-c", fmt.Sprintf(orphans, mark))...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // in the midst of it
			eventually(func() bool { return len(processesWith(mark)) > 3 })
		}
		time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait() // it was killed
		killed = append(killed, fmt.Sprintf("larder-%d-", command.Process.Pid))
		if !eventually(func() bool { return len(processesWith(mark)) == 0 }) {
			t.Fatalf("kill %d left %v", i, processesWith(mark))
		}
	}
	s.must(append(limited, "true")...)
	s.nothingIsLeft()
	for _, left := range groupsOf(killed) {
		t.Errorf("the control group %s is left", left)
	}
}

// groupsOf lists the control groups whose names begin so.
func groupsOf(prefixes []string) (found []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		isOurs := func(prefix string) bool { return strings.HasPrefix(filepath.Base(path), prefix) }
		if err == nil && entry.IsDir() && slices.ContainsFunc(prefixes, isOurs) {
			found = append(found, path)
		}
		return nil // groups come and go
	})
	return found
}

// TestAnOrphanHoldsNobodyUp: larder returns although a process that it started
// would keep its output open for ever, and the reader of the output ends too.
func TestAnOrphanHoldsNobodyUp(t *testing.T) {
	needSandbox(t)
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
	mark := fmt.Sprintf("%d%d", os.Getpid(), time.Now().UnixNano())
	for _, results := range []string{"off", "read-write"} {
		began := time.Now()
		said := s.must("run", "--results", results, "--", "sh", "-c", fmt.Sprintf("(setsid sleep 1000.%[1]s &); (setsid sh -c 'while :; do echo more; sleep 1000.%[1]s; done' & ) >&2; echo said", mark))
		if said != "said\n" || time.Since(began) > 30*time.Second {
			t.Errorf("results %s: %q after %v", results, said, time.Since(began))
		}
		if left := processesWith(mark); len(left) > 0 {
			t.Errorf("results %s: left %v", results, left)
		}
	}
}

// TestAStoppedLarderGoesOn: its command goes on, its clock too, and nothing is
// lost when it is continued.
func TestAStoppedLarderGoesOn(t *testing.T) {
	needSandbox(t)
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
	command := s.command("run", "--results", "off", "--timeout", "1m", "--", "sh", "-c", "echo begun; sleep 0.3; echo ended; exit 7")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 6)
	if _, err := out.Read(text); err != nil || string(text) != "begun\n" {
		t.Fatalf("%q, %v", text, err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond) // longer than the command takes
	}
	if _, err := out.Read(text); err != nil || string(text) != "ended\n" {
		t.Errorf("%q, %v", text, err)
	}
	_ = command.Wait() // its code is looked at
	if code := command.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d", code)
	}
}
