package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/executor"
	"larder/executor/action"
	"larder/sandbox"
)

// A kept sandbox is a folder that needs nothing else of the store: what the run
// saw and wrote is in it, by hard links where these are possible, so cleaning the
// store takes nothing from it. What was written is a read-only layer there as
// well, since publishing and outputs share its files; a new shell writes above it.
//
//	enter           a script that re-enters it
//	sandbox.json    how it is mounted
//	private         /tmp and the home
//	0/below         what the workspace, or a cache, held at the end of the run
//	0/written       what of that the run wrote, in the form of overlayfs
//	0/upper, work   what shells write
//	lock            held by a shell

const (
	keptRecord = "sandbox.json"
	keptLock   = "lock"
)

// kept is the record of a kept sandbox. Paths of its own are relative.
type kept struct {
	Command  []string       `json:"command"`
	Env      []string       `json:"env"`
	Host     action.Host    `json:"host"`
	Network  action.Network `json:"network"`
	Userns   bool           `json:"allow_userns"`
	Binds    []sandbox.Bind `json:"binds"` // read-only ones of the host
	Places   []keptPlace    `json:"places"`
	IsCopied bool           `json:"copied"` // below is written to, without an overlay
	Sandbox  string         `json:"sandbox"`
}

// keptPlace is the workspace or a cache.
type keptPlace struct {
	Target string `json:"target"`
	Folder string `json:"folder"`
}

// keepSandbox keeps the sandbox of a run that has ended, when that is wanted. It
// comes before anything of it is published. failure is why the run has no
// result. That it cannot be kept is a warning.
func (a *attempt) keepSandbox(ctx context.Context, failure error) {
	if !hasRun(failure) {
		return
	}
	failed := failure != nil || a.result.Status != action.StatusOK
	isWanted := a.job.Keep == executor.KeepAlways || a.job.Keep == executor.KeepOnFailure && failed
	if !isWanted {
		return
	}
	path, err := a.moveAside(context.WithoutCancel(ctx))
	if err != nil {
		a.trouble("the sandbox was not kept", err)
		return
	}
	a.result.KeptSandbox = path
	a.job.Say(fmt.Sprintf("the sandbox is kept for a day; %s re-enters it", filepath.Join(path, "enter")))
}

// hasRun reports whether anything can have run: a sandbox that could not be made
// is empty, and may be tried again in another way.
func hasRun(failure error) bool {
	var setup *SetupFailed
	var program *sandbox.ExecError
	return failure == nil || errors.As(failure, &setup) || errors.As(failure, &program)
}

// moveAside makes the folder in that of the run, and gives it its name when it is
// whole.
func (a *attempt) moveAside(ctx context.Context) (string, error) {
	a.isLinked = true
	if a.place.spare != nil {
		return "", errors.New("the run was not in the store")
	}
	folder, err := a.folder.Dir("kept")
	for _, c := range a.checkouts {
		err = errors.Join(err, c.Settle(ctx))
	}
	if err != nil {
		return "", err
	}
	record := kept{
		Command: a.config.Args, Env: a.config.Env, Host: a.job.Action.Host, Network: a.job.Action.Network,
		Userns: a.config.AllowUserns, IsCopied: a.copied, Sandbox: a.name(),
	}
	for _, bind := range a.config.Binds {
		if bind.Writable {
			err = errors.Join(err, record.keep(folder, bind.Target, nil, bind.Source))
		} else {
			record.Binds = append(record.Binds, a.outlasting(bind))
		}
	}
	for _, overlay := range a.config.Overlays {
		err = errors.Join(err, record.keep(folder, overlay.Target, overlay.Lowers, overlay.Upper))
	}
	err = errors.Join(err, caches.Replace(a.config.Private, filepath.Join(folder, "private")), record.write(folder, a.runner.config.Program))
	if err != nil {
		return "", err
	}
	to := filepath.Join(a.place.layout.Kept(), fmt.Sprintf("%d-%d", time.Now().UnixNano(), os.Getpid()))
	return to, caches.Settle(folder, to)
}

// outlasting gives a bind of something that goes with the run, or that cleaning
// may take, a source that stays: a payload its original, and what is hidden an
// empty folder that every machine has.
func (a *attempt) outlasting(bind sandbox.Bind) sandbox.Bind {
	for _, one := range a.job.Surroundings.Handle.(scene).payloads {
		if bind.Target == filepath.Join(sandbox.WorkDir, one.wanted.Path.String()) {
			bind.Source = one.wanted.Host
		}
	}
	if within(bind.Source, a.folder.Path()) {
		bind.Source = ""
	}
	return bind
}

// keep takes in one place: what was below, topmost first, and what the run wrote.
func (k *kept) keep(folder, target string, lowers []string, upper string) error {
	place := keptPlace{target, fmt.Sprint(len(k.Places))}
	k.Places = append(k.Places, place)
	at := filepath.Join(folder, place.Folder)
	for _, name := range []string{"", "below", "written", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(at, name), 0o755); err != nil {
			return fmt.Errorf("make a folder to keep: %w", err)
		}
	}
	if err := unlock(upper, "."); err != nil { // which an ordinary user could not read
		return fmt.Errorf("look at what the run wrote: %w", err)
	}
	written := layers.Layer{ID: "written", Path: upper}
	var stack layers.Stack
	for i, path := range slices.Backward(lowers) {
		stack = append(stack, layers.Layer{ID: fmt.Sprint(i), Path: path})
	}
	whole := append(stack, written)
	if k.IsCopied {
		return layers.CopyStack(whole, filepath.Join(at, "below"))
	}
	return errors.Join(layers.Flatten(whole, 0, filepath.Join(at, "below")),
		layers.Flatten(layers.Stack{written}, len(lowers), filepath.Join(at, "written")))
}

// write puts down the record and the script.
func (k *kept) write(folder, program string) error {
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return fmt.Errorf("write how the sandbox was made: %w", err)
	}
	script := fmt.Sprintf(`#!/bin/sh
# Re-enters the sandbox of: %s
# With arguments it runs these in the place of a shell.
larder=%s
test -x "$larder" || larder=larder
exec "$larder" shell --kept "$(cd "$(dirname "$0")" && pwd)" -- "$@"
`, strings.ReplaceAll(strings.Join(k.Command, " "), "\n", " "), "'"+strings.ReplaceAll(program, "'", `'\''`)+"'")
	return errors.Join(
		os.WriteFile(filepath.Join(folder, keptRecord), data, 0o600),
		os.WriteFile(filepath.Join(folder, "enter"), []byte(script), 0o700))
}
