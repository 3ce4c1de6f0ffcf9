package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"larder/caches/payload"
)

func warmCommand() *cli.Command {
	return &cli.Command{
		Name: "warm", Usage: "copy payloads to local disk now, and wait for it", ArgsUsage: "PATH...",
		Description: "Each PATH is a host directory as in larder run --payload PATH=...; what is on local disk\n" +
			"already is not copied. The exit code is 1 when not all of them are local in the end.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "copy also what is on local disk already"},
			&cli.BoolFlag{Name: asideFlag, Hidden: true, Usage: "work in this process"},
		},
		Action: cacheWarm,
	}
}

// asideFlag marks the process that is left behind when it cannot be ended.
const asideFlag = "aside"

// codeNotWarm is the exit code when not all of the paths became local.
const codeNotWarm = 1

func cacheWarm(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, -1); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	paths, w := command.Args().Slice(), warmer{shop.payloads, command.Bool("force")}
	if !command.Bool(asideFlag) && isAnyAfar(paths) {
		return w.aside(ctx, shop.layout.Root(), paths)
	}
	failed, out := 0, outlet{to: os.Stdout}
	for _, path := range paths {
		said, err := w.warm(ctx, path)
		if err != nil {
			complain(brokenOff(ctx, err))
			failed++
			continue
		}
		out.printf("%s: %s\n", path, said)
	}
	if err := out.err(); err != nil {
		return err
	}
	if failed > 0 {
		return exitCode(codeNotWarm)
	}
	return nil
}

// aside is the same in a process of its own; see [runAside].
func (w warmer) aside(ctx context.Context, store string, paths []string) error {
	args := []string{"--store", store, "cache", "warm", "--" + asideFlag, fmt.Sprintf("--force=%t", w.force), "--"}
	command, err := asideCommand(append(args, paths...)...)
	if err != nil {
		return err
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = runAside(ctx, command)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errStuck):
		complain(fmt.Errorf("interrupted: %s: %w", strings.Join(paths, ", "), err))
		return exitCode(codeNotWarm)
	case errors.As(err, &exit) && exit.Exited():
		return exitCode(exit.ExitCode()) // it has said why
	case err != nil:
		complain(err)
		return exitCode(codeNotWarm)
	}
	return nil
}

type warmer struct {
	store *payload.Store
	force bool
}

// warm makes one path local and says what there was to do.
func (w warmer) warm(ctx context.Context, path string) (string, error) {
	source, said, err := w.look(ctx, path)
	if err != nil || said != "" {
		return said, err
	}
	bar := newBar(os.Stderr, path)
	err = w.store.Warm(ctx, source, bar.show)
	bar.clear()
	if err != nil {
		return "", err
	}
	return "cached " + binarySize(source.State.Bytes), nil
}

// look finds what there is to copy, or says why there is nothing.
func (w warmer) look(ctx context.Context, path string) (payload.Source, string, error) {
	none := payload.Source{}
	if kind := payload.Afar(absolutePath(path)); kind != "" {
		defer sayWhenSlow(path, kind)()
	}
	real, err := payload.Resolve(path)
	if err != nil {
		return none, "", err
	}
	place, err := w.store.Place(real)
	if err != nil {
		return none, "", err
	}
	if place.Near && !w.force {
		return none, "is as near as the store already; --force copies it all the same", nil
	}
	source, err := payload.Look(ctx, real)
	if err != nil {
		return none, "", err
	}
	if w.store.Status(source) == payload.Cached {
		return none, "is cached already", nil
	}
	return source, "", nil
}
