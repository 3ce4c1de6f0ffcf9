package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"larder/caches/archive/zstd"
	"larder/sandbox"
)

// TestMain lets the test binary be the larder of the scripts.
func TestMain(m *testing.M) {
	if instead() {
		return
	}
	// A test removes its store when it has ended, so nothing may still work there.
	if _, isSet := os.LookupEnv("LARDER_BACKGROUND"); !isSet {
		os.Setenv("LARDER_BACKGROUND", "off")
	}
	programs := map[string]func(){"larder": func() {
		awaitInput()
		os.Exit(execute(context.Background(), os.Args))
	}}
	programs[compressorName] = func() {
		os.Exit(zstd.Main(os.Args[1:], zstd.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	addPrograms(programs)
	testscript.Main(m, programs)
}

// noRaceSleep keeps a program with the race detector from sleeping for a second
// before it ends.
const noRaceSleep = "atexit_sleep_ms=0"

// awaitInput waits until a pipe on standard input has something to read or is
// closed. The script engine feeds every command through a pipe, and closes it a
// moment after the command has started; larder tells an empty input from one
// that may still come, so without this the moment would decide.
func awaitInput() {
	var stat unix.Stat_t
	if unix.Fstat(0, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO {
		poll := []unix.PollFd{{Events: unix.POLLIN}}
		_, _ = unix.Poll(poll, 2000)
	}
}

// TestScripts runs the behaviour scripts: one behaviour a file, which its name
// says. Each has a store ($LARDER_STORE) and a home of its own. What they need of
// the machine they ask for in their first line; see conditions.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: false,
		Setup:               setUpScript,
		Condition:           condition,
		Cmds:                scriptCommands(),
	})
}

// setUpScript gives a script its own store and home, beside its files and not
// among them, and the reasons why it may have to be skipped.
func setUpScript(env *testscript.Env) error {
	place, err := os.MkdirTemp("", "larder-script-*")
	if err != nil {
		return fmt.Errorf("make a place for the store: %w", err)
	}
	env.Defer(func() {
		if err := sandbox.Remove(place); err != nil {
			env.T().Log(err)
		}
	})
	home := filepath.Join(place, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return fmt.Errorf("make a home: %w", err)
	}
	for _, name := range []string{"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LARDER_RESULTS", "LARDER_DIGEST_FUNCTION"} {
		env.Setenv(name, "")
	}
	env.Setenv("GORACE", noRaceSleep)
	// A script that has ended removes its store, so nothing may still work on it.
	env.Setenv("LARDER_BACKGROUND", "off")
	env.Setenv("HOME", home)
	env.Setenv("LARDER_STORE", filepath.Join(place, "store"))
	env.Setenv("NO_SANDBOX", fmt.Sprint("no sandbox can be made here: ", machine().sandbox))
	env.Setenv("NO_OVERLAY", fmt.Sprint("no overlay can be mounted here: ", machine().overlay))
	env.Setenv("NO_MOUNTS", fmt.Sprint("nothing can be mounted in a namespace of this user: ", machine().mounts))
	return nil
}

// abilities says what the machine cannot do for the scripts; nil means it can.
type abilities struct{ sandbox, overlay, mounts error }

// machine looks once.
var machine = sync.OnceValue(func() abilities {
	found := abilities{sandbox: sandbox.Probe().Namespaces}
	if found.overlay = found.sandbox; found.overlay == nil {
		found.overlay = sandbox.OverlayWorks(os.TempDir())
	}
	said, err := exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput()
	if err != nil {
		found.mounts = fmt.Errorf("unshare -Urm: %w: %s", err, said)
	}
	return found
})

// condition answers what scripts ask of the machine: [sandbox], [overlay],
// [mounts] (unshare -Urm and mount work for this user), [groups] (this user can
// have control groups for every limit) and [root]. Under CI=true a machine without
// the first three is an error, or a gate that closed there would go unnoticed.
func condition(name string) (bool, error) {
	var missing error
	switch name {
	case "sandbox":
		missing = machine().sandbox
	case "overlay":
		missing = machine().overlay
	case "mounts":
		missing = machine().mounts
	case "groups":
		return len(sandbox.Probe().Groups) == 3, nil
	case "root":
		return os.Getuid() == 0, nil
	default:
		return false, fmt.Errorf("there is no condition %q", name)
	}
	if missing != nil && os.Getenv("CI") == "true" {
		return false, errors.Join(fmt.Errorf("[%s] is false under CI=true", name), missing)
	}
	return missing == nil, nil
}

// needSandbox skips a test where no sandbox can be made.
func needSandbox(t *testing.T) {
	t.Helper()
	if err := machine().sandbox; err != nil {
		gate(t, "a sandbox", err)
	}
}

// gate skips a test, and fails it under CI=true, for what the machine
// does not have.
func gate(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing under CI=true: %v", what, err)
	}
	t.Skipf("%s is missing: %v", what, err)
}
