package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/upkeep"
	"larder/executor/action"
)

// defaultMaxSize is how large a store may grow when nobody says otherwise.
const defaultMaxSize = "20G"

func cachePruneCommand() *cli.Command {
	return &cli.Command{
		Name: "prune", Usage: "remove what nobody needs, and then what was used longest ago",
		Description: "What a run uses stays. Without --max-size the store is kept within the size that\n" +
			"LARDER_MAX_SIZE or max-size in larder.toml says, or " + defaultMaxSize + "; none is no limit.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "max-size", Usage: "remove until the store takes `SIZE` of disk or less, or none"},
			&cli.StringFlag{Name: "min-free", Usage: "remove until `SIZE` of its disk is free"},
			&cli.StringFlag{Name: "older-than", Usage: "remove what was not used for `TIME`, such as 30d"},
			&cli.StringFlag{Name: "time-limit", Usage: "stop after `TIME`; the next prune goes on"},
			&cli.BoolFlag{Name: "old-formats", Usage: "remove the parts that other versions of larder wrote"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only print what would be removed"},
			&cli.BoolFlag{Name: "force", Usage: "as without: prune never asks, and what a run uses stays; for scripts that give it to every verb"},
			formatFlag(),
		},
		Action: cachePrune,
	}
}

func cacheCleanCommand() *cli.Command {
	return &cli.Command{
		Name: "clean", Usage: "remove everything that is not in use",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "do it; without, only print what would be removed"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only print what would be removed"},
			formatFlag(),
		},
		Action: cacheClean,
	}
}

func cachePrune(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	limits, err := pruneLimits(command, shop)
	if err != nil {
		return err
	}
	if text := command.String("time-limit"); text != "" {
		limit, err := parseAge(text)
		if err != nil {
			return fmt.Errorf("--time-limit: %w", err)
		}
		bounded, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ctx = bounded
	}
	show, err := newPruneOutput(command)
	if err != nil {
		return err
	}
	return prune(ctx, shop, limits, show)
}

// cacheClean asks for consent by a flag: what is gone takes work to make again.
func cacheClean(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	limits := upkeep.NoLimits()
	limits.MaxSize = 0
	ask := !command.Bool("force")
	show, err := newPruneOutput(command)
	if err != nil {
		return err
	}
	show.only = show.only || ask
	err = prune(ctx, shop, limits, show)
	if err == nil && ask && !command.Bool("dry-run") {
		complain(errors.New("nothing was removed; larder cache clean --force removes it"))
		return exitCode(1)
	}
	return err
}

// prune does the work, or only says what it would be.
func prune(ctx context.Context, shop *workshop, limits upkeep.Limits, show *pruneOutput) error {
	shop.layout.Leave()
	work := shop.upkeep().Prune
	if show.only {
		work = shop.upkeep().Plan
	}
	report, err := work(ctx, limits, show.item)
	reportProblems(report.Problems)
	if err != nil {
		return advised(err)
	}
	return show.end(report)
}

// pruneLimits reads the flags. A store is kept within its size whenever it is
// pruned, unless a flag says what else is wanted.
func pruneLimits(command *cli.Command, shop *workshop) (upkeep.Limits, error) {
	limits := upkeep.NoLimits()
	limits.OldFormats = command.Bool("old-formats")
	var err error
	if text := command.String("min-free"); text != "" {
		if limits.MinFree, err = action.ParseSize(text); err != nil {
			return limits, fmt.Errorf("--min-free: %w", err)
		}
	}
	if text := command.String("older-than"); text != "" {
		if limits.OlderThan, err = parseAge(text); err != nil {
			return limits, fmt.Errorf("--older-than: %w", err)
		}
		limits.OlderThan = max(limits.OlderThan, 1) // 0s is everything, where the limit 0 is none
	}
	limits.MaxSize, err = shop.maxSize(command.String("max-size"))
	if _, left := shop.settings.sizeFor(shop.layout.Root()); left != "" && command.String("max-size") == "" && os.Getenv("LARDER_MAX_SIZE") == "" {
		complain(fmt.Errorf("max-size in %s is for the store that it names, and this is %s; --max-size, LARDER_MAX_SIZE or your own larder.toml set the size of that", left, shop.layout.Root()))
	}
	return limits, err
}

// maxSize is how large the store may be: the flag, LARDER_MAX_SIZE, larder.toml,
// or the default; below zero for no limit.
func (w *workshop) maxSize(flag string) (int64, error) {
	configured, _ := w.settings.sizeFor(w.layout.Root())
	for _, choice := range [][2]string{
		{flag, "--max-size"}, {os.Getenv("LARDER_MAX_SIZE"), "LARDER_MAX_SIZE"}, {configured, "max-size in larder.toml"},
	} {
		if choice[0] == "" {
			continue
		}
		if choice[0] == "none" {
			return -1, nil
		}
		bytes, err := action.ParseSize(choice[0])
		if err != nil {
			return 0, fmt.Errorf("%s: %w: %w", choice[1], caches.ErrInvalid, err)
		}
		return bytes, nil
	}
	return action.ParseSize(defaultMaxSize)
}

// oldFormatNote is what info says of a part that another version wrote.
func oldFormatNote(folder string) string {
	if upkeep.IsOldFormat(folder) {
		return "of another version of larder; left alone; to remove: larder cache prune --old-formats"
	}
	return "not of larder; left alone"
}
