package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/executor/action"
	"larder/executor/local"
)

func cacheAddCommand() *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "put the files of a folder into a cache", ArgsUsage: "NAME DIR",
		Description: "The same as an action that copies what is in DIR into the cache, by the rules of its mode and the\n" +
			"options of [cache.NAME] in larder.toml: it adds to what is there and removes nothing.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "append-only", Usage: "the cache is an append-only one (the default)"},
			&cli.BoolFlag{Name: "mutable", Usage: "the cache is a mutable one"},
			&cli.StringFlag{Name: "scope", Usage: "`SCOPE` of the cache: repo, global or any text"},
			&cli.StringFlag{Name: "key", Usage: "`KEY` of the cache"},
			formatFlag(),
		},
		Action: cacheAdd,
	}
}

func cacheAdd(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 2, 2); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	cache, ref, err := shop.cacheToAddTo(command)
	if err != nil {
		return err
	}
	dir := command.Args().Get(1)
	if err := shop.checkAddable(dir); err != nil {
		return fmt.Errorf("add %s: %w", dir, err)
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	outcome, err := shop.add(ctx, cache, ref, dir)
	if err != nil {
		return fmt.Errorf("add %s: %w", dir, err)
	}
	result := action.NewResult()
	result.Caches = append(result.Caches, local.DescribeOutcome(cache, outcome))
	reportWarnings(result)
	if published(result) {
		shop.leaveWork()
	}
	return printAddition(command, ref, result.Caches[0])
}

// cacheToAddTo checks the flags as if they were those of a run.
func (w *workshop) cacheToAddTo(command *cli.Command) (action.Cache, caches.Ref, error) {
	none := action.Cache{}
	here, err := os.Getwd()
	if err != nil {
		return none, caches.Ref{}, fmt.Errorf("find the current directory: %w", err)
	}
	mode := caches.AppendOnly
	if command.Bool("mutable") {
		mode = caches.Mutable
	}
	if command.Bool("mutable") && command.Bool("append-only") {
		return none, caches.Ref{}, errors.New("--mutable and --append-only: give one of the two")
	}
	name := command.Args().First()
	spec := w.settings.Caches[name].Spec()
	spec.Name, spec.Mode, spec.Path = name, mode.String(), "cache"
	for flag, to := range map[string]*string{"scope": &spec.Scope, "key": &spec.Key} {
		if value := command.String(flag); value != "" {
			*to = value
		}
	}
	if spec.Share != "" {
		return none, caches.Ref{}, fmt.Errorf("cache %s: share=%s: a live cache is one directory that actions write to; there is nothing to publish to it", name, spec.Share)
	}
	wanted, err := action.Spec{Argv: []string{"add"}, Root: here, Caches: []action.CacheSpec{spec}}.Validate(here)
	if err != nil {
		return none, caches.Ref{}, err
	}
	return wanted.Caches[0], wanted.Caches[0].Ref(local.RepositoryOf(here)), nil
}

// checkAddable refuses what would not be in the cache as it is in the folder.
func (w *workshop) checkAddable(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return errors.Join(err, errors.New("it is no folder; name one that holds what is to be added"))
	}
	store, err := filepath.EvalSymlinks(w.layout.Root())
	if err != nil {
		return err
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	if strings.HasPrefix(store+"/", strings.TrimSuffix(real, "/")+"/") {
		return fmt.Errorf("it holds the store, %s; name a folder in it", store)
	}
	return filepath.WalkDir(real, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if kind := entry.Type(); kind.IsRegular() || kind.IsDir() || kind == fs.ModeSymlink {
			return nil
		}
		return fmt.Errorf("%s is a FIFO, a socket or a device, which no cache takes; nothing was added", path)
	})
}

// add is a whole action that copies a folder into a cache.
func (w *workshop) add(ctx context.Context, cache action.Cache, ref caches.Ref, dir string) (named.Outcome, error) {
	run, err := layers.NewRun(w.layout)
	if err != nil {
		return named.Outcome{}, err
	}
	defer run.Close()
	checkout, err := w.named.Checkout(ctx, ref, run, named.CheckoutOptions{Alone: cache.Lock})
	if err != nil {
		return named.Outcome{}, err
	}
	defer checkout.Close()
	if err := layers.CopyStack(layers.Stack{{ID: "added", Path: dir}}, checkout.Upper()); err != nil {
		return named.Outcome{}, err
	}
	if ctx.Err() != nil {
		return named.Outcome{}, fmt.Errorf("interrupted, nothing was added: %w", context.Cause(ctx))
	}
	return checkout.Publish(ctx, named.PublishOptions{OnConflict: cache.OnConflict, Keep: cache.Keep, Unit: cache.Unit, Listed: !w.background})
}

func printAddition(command *cli.Command, ref caches.Ref, made action.CacheResult) error {
	out := table{}
	for _, pair := range [][2]any{
		{"cache", ref.String()}, {"outcome", made.Outcome}, {"added", made.Added}, {"changed", made.Changed}, {"duplicates", made.Duplicates},
		{"violations", len(made.Violations)}, {"conflicts", len(made.Conflicts)}, {"generation", made.GenerationAfter},
	} {
		out.add(pair[0], pair[1])
	}
	return out.print(command, made)
}
