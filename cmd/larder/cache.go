package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"larder/caches/named"
)

func cacheCommand() *cli.Command {
	format := formatFlag()
	verbs := []*cli.Command{
		{Name: "dir", Usage: "print where the store is", Action: cacheDir},
		{Name: "info", Usage: "show the parts of the store with their sizes", Flags: []cli.Flag{format}, Action: cacheInfo},
		cacheListCommand(),
		{Name: "inspect", Usage: "show all that is known of a cache", ArgsUsage: "NAME", Flags: []cli.Flag{format}, Action: cacheInspect},
		{Name: "history", Usage: "list the generations that a cache keeps", ArgsUsage: "NAME", Flags: []cli.Flag{format}, Action: cacheHistory},
		{Name: "rollback", Usage: "make an earlier generation the head again", ArgsUsage: "NAME GENERATION", Action: cacheRollback},
		warmCommand(),
		cacheAddCommand(),
		cacheRemoveCommand(),
		{Name: "compact", Usage: "merge layers of caches and write them to the disk, now", Action: cacheCompact},
		tendCommand(),
	}
	verbs = append(verbs, cacheStatsCommand(), cacheLogsCommand())
	verbs = append(verbs, &cli.Command{Name: "du", Usage: "show what takes how much room", Flags: []cli.Flag{format}, Action: cacheDU},
		cachePruneCommand(), cacheCleanCommand(), cacheVerifyCommand())
	verbs = append(verbs, cacheCarryCommands()...)
	for _, verb := range verbs {
		verb.OnUsageError = usageError
	}
	return &cli.Command{Name: "cache", Usage: "look at and look after caches", Commands: verbs, Action: helpOrUnknown, OnUsageError: usageError}
}

// openHere opens the store as it applies to the current directory.
func openHere(command *cli.Command) (*workshop, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current directory: %w", err)
	}
	return openWorkshop(command, here)
}

func cacheDir(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	_, err = fmt.Println(shop.layout.Root())
	return err
}

func cacheRollback(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 2, 2); err != nil {
		return err
	}
	shop, row, err := oneCache(command)
	if err != nil {
		return err
	}
	made, err := shop.named.Rollback(ctx, row.Ref, command.Args().Get(1))
	if errors.Is(err, named.ErrNoGeneration) {
		return fmt.Errorf("%w; larder cache history %s lists those that there are", err, command.Args().First())
	}
	if err != nil {
		return advised(err)
	}
	_, err = fmt.Printf("%s is at generation %s again, as %s\n", row.Ref, command.Args().Get(1), made.ID)
	return err
}
