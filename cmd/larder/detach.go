package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"larder/caches"
)

// startDetached starts this program again with args, for work that nobody waits
// for: in a session of its own, at the lowest priority for processor and disk,
// in the root directory, with null streams and no other file of this process.
// It returns once the program runs, and holds nothing up: the caller may end
// before it. Arguments that name files must be absolute; the environment is
// passed on.
//
// Whatever it starts must take a kernel lock before it works, and end when
// another holds it: any number may be started at the same time.
func startDetached(args ...string) error {
	failed := make(chan error, 1)
	go func() {
		// The thread gives its priority up for good, so it is never unlocked: it
		// ends with this goroutine.
		runtime.LockOSThread()
		failed <- spawnDetached(args)
	}()
	if err := <-failed; err != nil {
		return fmt.Errorf("start larder %s in the background: %w", strings.Join(args, " "), err)
	}
	return nil
}

func spawnDetached(args []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	leaveOthersFirst() // a new process begins with the priorities of the thread that makes it
	// What this process was given open would stay open for as long as the new
	// one lives: a pipe that somebody reads to its end, a lock.
	if err := keepFiles(); err != nil {
		return err
	}
	process, err := os.StartProcess(program, append([]string{os.Args[0]}, args...), &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	go process.Wait() // or it would stay as a zombie for as long as this process lives
	return nil
}

// background reports whether a run may leave work to a detached process:
// LARDER_BACKGROUND, or background in larder.toml, or yes.
func background(configured settings) (bool, error) {
	switch text := os.Getenv("LARDER_BACKGROUND"); text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	case "":
		return configured.Background == nil || *configured.Background, nil
	default:
		return false, fmt.Errorf("LARDER_BACKGROUND: %w value %q; use on or off", caches.ErrInvalid, text)
	}
}
