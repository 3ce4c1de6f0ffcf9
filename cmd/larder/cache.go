package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/named"
)

func cacheCommand() *cli.Command {
	format := &cli.StringFlag{Name: "format", Value: "human", Usage: "`human`, tab or json"}
	verbs := []*cli.Command{
		{Name: "dir", Usage: "print where the store is", Action: cacheDir},
		{Name: "info", Usage: "show the parts of the store with their sizes", Flags: []cli.Flag{format}, Action: cacheInfo},
		{Name: "list", Usage: "list named caches", ArgsUsage: "[PATTERN]", Flags: append(laterValues("columns", "filter"), format), Action: cacheList},
		{Name: "inspect", Usage: "show all that is known of a cache", ArgsUsage: "NAME", Flags: []cli.Flag{format}, Action: cacheInspect},
		{Name: "history", Usage: "list the generations that a cache keeps", ArgsUsage: "NAME", Flags: []cli.Flag{format}, Action: cacheHistory},
		{Name: "rollback", Usage: "make an earlier generation the head again", ArgsUsage: "NAME GENERATION", Action: cacheRollback},
		warmCommand(),
		{Name: "remove", Usage: "remove the caches whose name matches", ArgsUsage: "PATTERN", Flags: laterSwitches("dry-run", "force"), Action: cacheRemove},
		{Name: "compact", Usage: "merge layers of caches and write them to the disk, now", Action: cacheCompact},
		tendCommand(),
	}
	verbs = append(verbs, cacheStatsCommand(), cacheLogsCommand())
	verbs = append(verbs, &cli.Command{Name: "du", Usage: "show what takes how much room", Flags: []cli.Flag{format}, Action: cacheDU},
		cachePruneCommand(), cacheCleanCommand())
	verbs = append(verbs, laterCommands("add", "verify")...)
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
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	_, err = fmt.Println(shop.layout.Root())
	return err
}

// cacheRow is a named cache in the output of list and inspect.
type cacheRow struct {
	Name        string    `json:"name"`
	Mode        string    `json:"mode"`
	Scope       string    `json:"scope"`
	Repository  string    `json:"repository,omitempty"`
	Key         string    `json:"key,omitempty"`
	Live        bool      `json:"live,omitempty"`
	Status      string    `json:"status"`
	Head        string    `json:"head"`
	Generations int       `json:"generations"`
	Layers      int       `json:"layers"`
	Entries     int64     `json:"entries"`
	Bytes       int64     `json:"bytes"`
	LastUsed    time.Time `json:"last_used"`
	ID          string    `json:"id"`
	Durable     bool      `json:"durable"` // the head would outlive a power cut
	Problem     string    `json:"problem,omitempty"`
}

func describeRow(row named.Row) cacheRow {
	described := cacheRow{
		Name: row.Ref.Name.String(), Mode: row.Ref.Mode.String(), Scope: row.Ref.Scope.String(), Key: row.Ref.Key, Live: row.Ref.Live,
		Status: string(row.Status), Head: row.Head, Generations: row.Generations, Layers: row.Layers,
		Entries: row.Entries, Bytes: row.Bytes, LastUsed: row.LastUsed, ID: row.ID, Durable: row.Durable,
	}
	if row.Ref.Scope.Kind() == caches.ScopeRepo {
		described.Repository = row.Ref.Scope.Detail()
	}
	if row.Problem != nil {
		described.Problem = row.Problem.Error()
	}
	return described
}

func cacheList(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 1); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	rows, err := shop.named.List(command.Args().First())
	if err != nil {
		return err
	}
	described := make([]cacheRow, 0, len(rows))
	out := table{heading: []string{"NAME", "MODE", "SCOPE", "STATUS", "SIZE", "ENTRIES", "LAYERS", "LAST USED", "HEAD", "DURABLE"}}
	for _, row := range rows {
		one := describeRow(row)
		described = append(described, one)
		out.add(one.Name, one.Mode, scopeText(one), one.Status, size(one.Bytes), one.Entries, one.Layers, when(one.LastUsed), one.Head, yesNo(one.Durable))
	}
	return out.print(command, described)
}

func scopeText(row cacheRow) string {
	text := row.Scope
	if row.Repository != "" {
		text = "repo " + row.Repository
	}
	if row.Key != "" {
		text += ", key " + row.Key
	}
	if row.Live {
		text += ", live"
	}
	return text
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
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s is at generation %s again, as %s\n", row.Ref, command.Args().Get(1), made.ID)
	return err
}

func cacheRemove(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	removal, err := shop.named.Remove(ctx, command.Args().First())
	for _, row := range removal.Removed {
		fmt.Printf("removed %s\n", row.Ref)
	}
	for _, row := range removal.Skipped {
		fmt.Printf("kept %s: it is in use; try again when its runs have ended\n", row.Ref)
	}
	if err == nil && len(removal.Removed)+len(removal.Skipped) == 0 {
		return fmt.Errorf("no cache matches %q; larder cache list shows what there is", command.Args().First())
	}
	return err
}
