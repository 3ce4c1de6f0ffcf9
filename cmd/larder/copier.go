package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/payload"
)

// copierName is the hidden command that a copy in the background runs as.
const copierName = "copy-payload"

// copyPayloadCommand is not for people. What went wrong is noted in the store,
// for the next run: nobody reads the output of this one.
func copyPayloadCommand() *cli.Command {
	return &cli.Command{Name: copierName, Hidden: true, ArgsUsage: "STORE ID", Action: func(ctx context.Context, command *cli.Command) error {
		if err := needArgs(command, 2, 2); err != nil {
			return err
		}
		store := command.Args().First()
		if _, err := os.Stat(store); err != nil {
			return err // removed meanwhile, and not to be made again
		}
		layout, err := caches.OpenLayout(store)
		if err != nil {
			return err
		}
		return payload.Open(layout, journal.Open(layout)).Copy(ctx, command.Args().Get(1), nil)
	}}
}

// copyInBackground starts the process that copies a wanted payload, unless work
// in the background is forbidden.
func (w *workshop) copyInBackground(id string) error {
	allowed, err := background(w.settings)
	if err != nil || !allowed {
		return err
	}
	return startDetached(copierName, w.layout.Root(), id)
}
