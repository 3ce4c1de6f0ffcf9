package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"

	"larder/caches/payload"
)

func warmCommand() *cli.Command {
	return &cli.Command{
		Name: "warm", Usage: "copy payloads to local disk now, and wait for it", ArgsUsage: "PATH...",
		Description: "Each PATH is a host directory as in larder run --payload PATH=...; what is on local disk\n" +
			"already is not copied. The exit code is 1 when not all of them are local in the end.",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "copy also what is on local disk already"}},
		Action: cacheWarm,
	}
}

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
	w := warmer{shop.payloads, command.Bool("force")}
	failed := 0
	for _, path := range command.Args().Slice() {
		said, err := w.warm(ctx, path)
		if err != nil {
			complain(brokenOff(ctx, err))
			failed++
			continue
		}
		fmt.Printf("%s: %s\n", path, said)
	}
	if failed > 0 {
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
	real, err := payload.Resolve(path)
	if err != nil {
		return "", err
	}
	place, err := w.store.Place(real)
	if err != nil {
		return "", err
	}
	if place.Near && !w.force {
		return "is as near as the store already; --force copies it all the same", nil
	}
	source, err := payload.Look(ctx, real)
	if err != nil {
		return "", err
	}
	if w.store.Status(source) == payload.Cached {
		return "is cached already", nil
	}
	bar := newBar(os.Stderr, path)
	err = w.store.Warm(ctx, source, bar.show)
	bar.clear()
	if err != nil {
		return "", err
	}
	return "cached " + binarySize(source.State.Bytes), nil
}
