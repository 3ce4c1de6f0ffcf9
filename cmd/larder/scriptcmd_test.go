package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something that must happen. It only
// bounds a failure; nothing is decided by it.
const patience = time.Minute

// scriptCommands are the commands that scripts have beyond those of the engine.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":    cmdExits,
		"field":    cmdField,
		"await":    cmdAwait,
		"signal":   cmdSignal,
		"gone":     cmdGone,
		"makefile": cmdMakeFile,
	}
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// cmdExits runs a program that must end with exactly this code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exits CODE PROGRAM [ARG...]")
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}

// cmdField compares one member of a JSON file, such as caches.0.outcome. A list
// or an object is compared by its JSON text.
func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3, "[!] field FILE PATH VALUE")
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &value))
	got, err := member(value, strings.Split(args[1], "."))
	ts.Check(err)
	if (got == args[2]) == neg {
		ts.Fatalf("%s in %s is %s", args[1], args[0], got)
	}
}

// member follows a path of names and indexes; "len" is the length of a list.
func member(value any, path []string) (string, error) {
	for _, step := range path {
		switch at := value.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return "", fmt.Errorf("there is no member %s", step)
			}
			value = next
		case []any:
			if step == "len" {
				return strconv.Itoa(len(at)), nil
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", fmt.Errorf("there is no element %s of %d", step, len(at))
			}
			value = at[i]
		default:
			return "", fmt.Errorf("there is nothing below %v for %s", at, step)
		}
	}
	if text, ok := value.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// cmdAwait waits until a file holds what a pattern says.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "await PATTERN FILE")
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	path := ts.MkAbs(args[1])
	if !eventually(func() bool {
		data, err := os.ReadFile(path)
		return err == nil && pattern.Match(data)
	}) {
		ts.Fatalf("%s never held %s", args[1], args[0])
	}
}

// cmdSignal sends a signal to every program in the background.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "signal TERM|INT|HUP|KILL")
	signals := map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL,
	}
	number, ok := signals[args[0]]
	usage(ts, ok && len(ts.BackgroundCmds()) > 0, "signal, with a program in the background")
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(number))
	}
}

// cmdGone waits until no process has the marker in its command line and no mount
// of any process that can be looked at has it in its line.
func cmdGone(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "gone MARKER")
	var left []string
	if !eventually(func() bool {
		left = processesWith(args[0])
		return len(left) == 0
	}) {
		ts.Fatalf("still there: %s", strings.Join(left, ", "))
	}
}

func processesWith(marker string) []string {
	var found []string
	own := fmt.Sprintf("/proc/%d/", os.Getpid())
	for _, file := range []string{"cmdline", "mountinfo"} {
		paths, _ := filepath.Glob("/proc/[0-9]*/" + file)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err == nil && !strings.HasPrefix(path, own) && strings.Contains(string(data), marker) {
				found = append(found, path)
			}
		}
	}
	return found
}

func eventually(happened func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if happened() {
			return true
		}
	}
	return false
}

// cmdMakeFile makes an empty file under a name that a script cannot write: its
// argument is read as a Go string.
func cmdMakeFile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, `makefile "NAME"`)
	name, err := strconv.Unquote(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte("content\n"), 0o644))
}

func TestMemberFollowsAPathThroughJSON(t *testing.T) {
	var value any
	if err := json.Unmarshal([]byte(`{"a":[{"b":"c"},2]}`), &value); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a.0.b": "c", "a.1": "2", "a.len": "2", "a.0": `{"b":"c"}`} {
		if got, err := member(value, strings.Split(path, ".")); err != nil || got != want {
			t.Errorf("member %s = %q, %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"x", "a.2", "a.x", "a.1.x"} {
		if got, err := member(value, strings.Split(path, ".")); err == nil {
			t.Errorf("member %s = %q, and no error", path, got)
		}
	}
}
