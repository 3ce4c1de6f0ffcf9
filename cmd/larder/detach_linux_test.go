package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// noteVariable tells the test binary to write what it finds itself to be into
// the file that it names.
const noteVariable = "LARDER_TEST_NOTE"

// writeNote describes this process: one line for each property.
func writeNote(path string) {
	session, _ := unix.Getsid(0)
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0) // the kernel says 20 minus nice
	class, _, _ := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
	here, _ := os.Getwd()
	input, _ := os.Readlink("/proc/self/fd/0")
	var lock unix.Stat_t
	_ = unix.Fstat(9, &lock)
	lines := []string{
		"args " + strings.Join(os.Args[1:], " "), "here " + here, "input " + input,
		"leader " + yesNo(session == os.Getpid()).String(), "nice " + yesNo(nice == 1).String(), "idle " + yesNo(class == ioprioIdle).String(),
		"inherited " + yesNo(lock.Ino != 0 && lock.Mode&unix.S_IFMT == unix.S_IFREG).String(),
	}
	_ = os.WriteFile(path+".part", []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	_ = os.Rename(path+".part", path)
}

func TestDetachedProcessHoldsNothing(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	t.Setenv(noteVariable, note)
	held, err := os.Create(filepath.Join(t.TempDir(), "held"))
	if err != nil {
		t.Fatal(err)
	}
	// As a file that a shell has opened for this process.
	if err := unix.Dup2(int(held.Fd()), 9); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(9)
	if err := startDetached("cache", "tend"); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { _, err := os.Stat(note); return err == nil }) {
		t.Fatal("it never ran")
	}
	got, err := os.ReadFile(note)
	want := "args cache tend\nhere /\ninput /dev/null\nleader yes\nnice yes\nidle yes\ninherited no\n"
	if err != nil || string(got) != want {
		t.Errorf("the detached process is\n%s%v, want\n%s", got, err, want)
	}
	if nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || nice == 1 {
		t.Errorf("this process has priority %d, %v", nice, err)
	}
}

func TestBackgroundSetting(t *testing.T) {
	no := false
	for _, test := range []struct {
		variable   string
		configured *bool
		want       string
	}{
		{"", nil, "yes"}, {"", &no, "no"}, {"on", &no, "yes"}, {"off", nil, "no"}, {"maybe", nil, "error"},
	} {
		t.Setenv("LARDER_BACKGROUND", test.variable)
		allowed, err := background(settings{Background: test.configured})
		got := yesNo(allowed).String()
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("background with LARDER_BACKGROUND=%q and %v: %s, %v; want %s", test.variable, test.configured, got, err, test.want)
		}
	}
}
