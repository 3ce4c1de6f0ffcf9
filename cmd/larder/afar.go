package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/payload"
	"larder/digest"
)

// A process that waits for another machine's file system cannot be ended, by
// SIGKILL neither, before that answers. So what looks at such a file system is a
// process of its own, which can be left behind: larder itself always ends when it
// is asked to.

// lookName is the hidden command that looks at a payload.
const lookName = "look-payload"

const (
	// slowAnswer is when larder says what it waits for.
	slowAnswer = 5 * time.Second
	// askedToEnd is how long a process has to end when it is asked to.
	askedToEnd = time.Second
)

func lookPayloadCommand() *cli.Command {
	return &cli.Command{
		Name: lookName, Hidden: true, ArgsUsage: "PATH", Action: showPayload,
		Flags: []cli.Flag{&cli.BoolFlag{Name: resolveFlag, Usage: "only follow the links"}},
	}
}

const resolveFlag = "resolve"

// farLook is what the process says of a payload.
type farLook struct {
	Path   string `json:"path"`
	Digest string `json:"digest,omitempty"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
	Disk   int64  `json:"disk"`
}

func showPayload(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	path := command.Args().First()
	if command.Bool(resolveFlag) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(farLook{Path: real})
	}
	source, err := payload.Look(ctx, path)
	if err != nil {
		return err
	}
	state := source.State
	return json.NewEncoder(os.Stdout).Encode(farLook{source.Path, state.Digest.String(), state.Files, state.Bytes, state.Disk})
}

// lookPayload is payload.Look, but for what is on another machine it returns when
// ctx ends.
func lookPayload(ctx context.Context, path string) (payload.Source, error) {
	kind := payload.Afar(path)
	if kind == "" {
		return payload.Look(ctx, path)
	}
	look, err := askFor(ctx, path, kind)
	if err != nil {
		return payload.Source{}, err
	}
	sum, err := digest.Parse(digest.BLAKE3, look.Digest)
	return payload.Source{Path: look.Path, State: digest.TreeState{Digest: sum, Files: look.Files, Bytes: look.Bytes, Disk: look.Disk}}, err
}

// resolvePayload is filepath.EvalSymlinks in the same way.
func resolvePayload(ctx context.Context, path string) (string, error) {
	kind := payload.Afar(path)
	if kind == "" {
		return filepath.EvalSymlinks(path)
	}
	look, err := askFor(ctx, path, kind, "--"+resolveFlag)
	return look.Path, err
}

// askFor has a payload looked at by a process of its own.
func askFor(ctx context.Context, path, kind string, flags ...string) (look farLook, err error) {
	defer sayWhenSlow(path, kind)()
	command, err := asideCommand(append(append([]string{lookName}, flags...), "--", path)...)
	if err != nil {
		return look, err
	}
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	err = runAside(ctx, command)
	var exit *exec.ExitError
	if errors.As(err, &exit) && said.Len() > 0 {
		return look, errors.New(strings.TrimPrefix(strings.TrimSpace(said.String()), "larder: "))
	}
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &look)
	}
	if err != nil {
		return look, fmt.Errorf("payload %s: %w", path, err)
	}
	return look, nil
}

// sayWhenSlow says on standard error what takes so long, unless it is over by then.
func sayWhenSlow(path, kind string) (over func()) {
	timer := time.AfterFunc(slowAnswer, func() {
		complain(fmt.Errorf("still looking at %s, which is on another machine (%s) that answers slowly or not at all; waiting goes on, Ctrl-C ends it", path, kind))
	})
	return func() { timer.Stop() }
}

// asideCommand is this program with other arguments.
func asideCommand(args ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{Path: program, Args: append([]string{os.Args[0]}, args...)}, nil
}

// errStuck says that a process was left behind.
var errStuck = errors.New("it does not answer, and was given up")

// runAside runs command until it ends or ctx does; then it is asked to end, and
// left behind if that is of no use.
func runAside(ctx context.Context, command *exec.Cmd) error {
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		return errors.Join(context.Cause(ctx), err)
	case <-time.After(askedToEnd):
	}
	// Whether it ends by this or when the other machine answers, nobody needs it.
	_ = command.Process.Kill()
	return fmt.Errorf("%w: %w", context.Cause(ctx), errStuck)
}

// isAnyAfar reports whether one of the paths may be on another machine.
func isAnyAfar(paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool { return payload.Afar(absolutePath(path)) != "" })
}

// absolutePath is path from the root; a current directory that has gone leaves it
// to the file system to say so.
func absolutePath(path string) string {
	if real, err := filepath.Abs(path); err == nil {
		return real
	}
	return path
}
