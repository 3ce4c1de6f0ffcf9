package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bounded is how long larder may take to end when it is asked to, with all that
// it waits for on the way.
const bounded = 30 * time.Second

// TestPayloadsOnANetworkShare mounts folders of this machine over ssh and FUSE,
// where the other side can be stopped, killed and changed.
func TestPayloadsOnANetworkShare(t *testing.T) {
	t.Parallel() // most of it is waiting
	server := newSSHServer(t)
	for name, test := range map[string]func(*netShare){
		"is copied once and used from here":    isCopiedOnce,
		"an edit makes another payload":        editIsSeen,
		"hangs before the run":                 hangsBefore,
		"hangs in the middle of a run":         hangsInARun,
		"hangs after the command":              func(n *netShare) { hangsAfter(n, "auto") },
		"hangs after one in a directory":       func(n *netShare) { hangsAfter(n, "directory") },
		"hangs after the set-up":               hangsAfterSetup,
		"hangs in the middle of a copy":        hangsInACopy,
		"goes away in the middle of a copy":    goesInACopy,
		"goes away in the middle of a run":     goesInARun,
		"is not mounted":                       isNotMounted,
		"does not exist or is no folder there": isWrong,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(server.share(t, map[string]string{"bin/greet": "hello\n", "lib/large": strings.Repeat("0123456789abcdef", 4<<20)}))
		})
	}
}

func (n *netShare) run(flags ...string) []string {
	return append([]string{"run", "--json", "result.json", "--payload", n.mount + "=sdk"}, flags...)
}

// worksOn is what the last run worked on.
func (n *netShare) worksOn(want string) {
	n.Helper()
	data, err := os.ReadFile(filepath.Join(n.root, "result.json"))
	if err != nil || !strings.Contains(string(data), `"status":"`+want+`"}]`) {
		n.Errorf("the run did not work on what is %s: %v: %s", want, err, data)
	}
}

func isCopiedOnce(n *netShare) {
	if said := n.larder(n.run("--", "cat", "sdk/bin/greet")...); said != "hello\n" {
		n.Errorf("the command saw %q", said)
	}
	n.worksOn("pending")
	if said := n.larder("cache", "warm", n.mount); !strings.Contains(said, "cached 64 MiB") {
		n.Errorf("warm says %q", said)
	}
	if said := n.larder("cache", "warm", n.mount); !strings.Contains(said, "is cached already") {
		n.Errorf("warm says %q", said)
	}
	if said := n.larder(n.run("--no-cache", "--", "sh", "-c", "cat sdk/bin/greet; grep -c fuse /proc/self/mountinfo || true")...); said != "hello\n0\n" {
		n.Errorf("with a copy the command saw %q", said)
	}
	n.worksOn("cached")
}

func editIsSeen(n *netShare) {
	n.larder("cache", "warm", n.mount)
	n.write("bin/greet", "hello, changed\n")
	if said := n.larder(n.run("--", "cat", "sdk/bin/greet")...); said != "hello, changed\n" {
		n.Errorf("after an edit the command saw %q", said)
	}
	n.worksOn("pending")
	if got := n.statuses(); got != "cached pending" && got != "pending cached" {
		n.Errorf("the copies are %s", got)
	}
}

// hangsBefore: larder says what it waits for, ends when it is asked to, and goes
// on when the share does.
func hangsBefore(n *netShare) {
	n.signal(syscall.SIGSTOP)
	b := n.begin(n.run("--", "cat", "sdk/bin/greet")...)
	n.says(b, b.said, "still looking at "+n.mount+", which is on another machine (fuse.sshfs)")
	check(n, b.Process.Signal(syscall.SIGINT))
	if code := n.end(b, bounded); code == 0 || b.out.String() != "" {
		n.Errorf("a run that waits for a share ended with %d: %s", code, b.said)
	}
	n.larder("cache", "list")
	b = n.begin(n.run("--", "cat", "sdk/bin/greet")...)
	n.says(b, b.said, "still looking")
	n.signal(syscall.SIGCONT)
	if code := n.end(b, bounded); code != 0 || b.out.String() != "hello\n" {
		n.Errorf("when the share went on, the run ended with %d and %q", code, b.out)
	}
}

// hangsInARun: the command cannot be ended, and larder ends all the same.
func hangsInARun(n *netShare) {
	b := n.begin(n.run("--timeout", "3s", "--", "sh", "-c", "cat sdk/bin/greet; while test -e sdk/bin/greet; do :; done")...)
	n.says(b, b.out, "hello")
	n.signal(syscall.SIGSTOP)
	if code := n.end(b, bounded); code != codeTimedOut || !strings.Contains(b.said.String(), "ran longer than 3s") {
		n.Errorf("the run ended with %d: %s", code, b.said)
	}
	n.signal(syscall.SIGCONT)
	if left, err := os.ReadDir(filepath.Join(n.store, "runs-v1")); err != nil || len(left) > 0 {
		n.Errorf("of the run is left %v, %v", left, err)
	}
	n.larder(n.run("--", "cat", "sdk/bin/greet")...)
}

// hangsAfter: what the command leaves behind waits for the share. The run ends with
// the command's code, and takes nothing that may still be written to.
func hangsAfter(n *netShare, sandbox string) {
	b := n.begin(n.run("--sandbox", sandbox, "--mutable", "c=cache,publish=0,7", "--", "sh", "-c",
		"echo x >cache/x; cat sdk/bin/greet; (while test -e sdk/bin/greet; do :; done) >/dev/null 2>&1 & echo begun; sleep 2; exit 7")...)
	n.says(b, b.out, "hello\nbegun")
	n.signal(syscall.SIGSTOP)
	code := n.end(b, bounded)
	for _, want := range []string{"warning: process ", " (sh, in ", "it waits in the kernel", "no cache was updated and the result was not kept"} {
		if said := b.said.String(); code != 7 || !strings.Contains(said, want) {
			n.Errorf("the run ended with %d, and without %q: %s", code, want, said)
		}
	}
	n.signal(syscall.SIGCONT)
	if text := n.larder("run", "--no-cache", "--mutable", "c=cache", "--", "ls", "cache"); text != "" {
		n.Errorf("the cache holds %q", text)
	}
	if left, err := os.ReadDir(filepath.Join(n.store, "runs-v1")); err != nil || len(left) > 0 {
		n.Errorf("of the run is left %v, %v", left, err)
	}
}

// hangsAfterSetup: what the set-up leaves behind waits for the share, so the command
// cannot begin; that is said, and nothing is taken.
func hangsAfterSetup(n *netShare) {
	b := n.begin(n.run("--mutable", "c=cache,publish=0", "--setup",
		"(while test -e sdk/bin/greet; do :; done) >/dev/null 2>&1 & sleep 2; : of "+n.mount, "--", "sh", "-c", "echo x >cache/x")...)
	if !eventually(func() bool { return isRunning("sleep 2; : of " + n.mount) }) {
		n.Errorf("the set-up never began: %s", b.said)
	}
	n.signal(syscall.SIGSTOP)
	code := n.end(b, bounded)
	for _, want := range []string{"process ", " (sh, in ", "of the set-up command was killed and is still there", "the command was not run"} {
		if said := b.said.String(); code != codeFailed || !strings.Contains(said, want) {
			n.Errorf("the run ended with %d, and without %q: %s", code, want, said)
		}
	}
	n.signal(syscall.SIGCONT)
	if text := n.larder("run", "--no-cache", "--mutable", "c=cache", "--", "ls", "cache"); text != "" {
		n.Errorf("the cache holds %q", text)
	}
}

// isRunning reports whether a shell runs a script that ends with the text.
func isRunning(text string) bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	return slices.ContainsFunc(lines, func(path string) bool {
		line, _ := os.ReadFile(path)
		return strings.HasSuffix(string(line), text+"\x00")
	})
}

// copies begins a copy and stops the share in the middle of it.
func (n *netShare) copies() *began {
	n.Helper()
	b := n.begin("cache", "warm", n.mount)
	if !eventually(func() bool { return strings.Contains(n.statuses(), "copying") }) {
		n.Fatalf("there is no copy: %s", b.said)
	}
	n.signal(syscall.SIGSTOP)
	if got := n.statuses(); got != "copying" {
		n.Errorf("a copy from a share that hangs is %s", got)
	}
	return b
}

func hangsInACopy(n *netShare) {
	b := n.copies()
	check(n, b.Process.Signal(syscall.SIGINT))
	if code := n.end(b, bounded); code != codeNotWarm || !strings.Contains(b.said.String(), "does not answer") {
		n.Errorf("warm ended with %d: %s", code, b.said)
	}
	n.signal(syscall.SIGCONT)
	if !eventually(func() bool { got := n.statuses(); return got == "pending" || got == "stalled" }) {
		n.Errorf("the copy that was broken off is %s", n.statuses())
	}
	n.larder("cache", "warm", n.mount)
	n.larder(n.run("--", "cat", "sdk/bin/greet")...)
	n.worksOn("cached")
}

func goesInACopy(n *netShare) {
	b := n.copies()
	n.goAway()
	if code := n.end(b, bounded); code != codeNotWarm || !strings.Contains(b.said.String(), "copy payload "+n.mount) {
		n.Errorf("warm ended with %d: %s", code, b.said)
	}
	if said := n.larder("cache", "list", "--format", "json"); !strings.Contains(said, `"status":"pending"`) || !strings.Contains(said, `"problem":"copy payload `) {
		n.Errorf("afterwards there is %s", said)
	}
	n.detach()
	n.attach()
	n.larder("cache", "warm", n.mount)
	n.larder(n.run("--", "cat", "sdk/bin/greet")...)
	n.worksOn("cached")
}

// goesInARun: what the command made of it is no answer for the next run.
func goesInARun(n *netShare) {
	b := n.begin(n.run("--", "sh", "-c", "cat sdk/bin/greet; while test -e sdk/bin/greet; do :; done; exit 0")...)
	n.says(b, b.out, "hello")
	n.goAway()
	if code := n.end(b, bounded); code != 0 || !strings.Contains(b.said.String(), "the result was not kept") {
		n.Errorf("the run ended with %d: %s", code, b.said)
	}
	n.detach()
	n.attach()
	n.larder(n.run("--", "cat", "sdk/bin/greet")...)
}

func isNotMounted(n *netShare) {
	n.detach()
	b := n.begin(n.run("--", "ls", "sdk")...)
	if n.end(b, patience); !strings.Contains(b.said.String(), "is an empty directory; if it is a share, see whether it is mounted") {
		n.Errorf("without the share larder says %q", b.said)
	}
}

func isWrong(n *netShare) {
	for path, want := range map[string]string{"missing": "no such file or directory", "bin/greet": "it is not a directory"} {
		b := n.begin("run", "--payload", filepath.Join(n.mount, path)+"=sdk", "--", "true")
		if code := n.end(b, patience); code != codeFailed || !strings.Contains(b.said.String(), want) || strings.Count(b.said.String(), "larder: ") != 1 {
			n.Errorf("%s: the run ended with %d: %s", path, code, b.said)
		}
	}
}
