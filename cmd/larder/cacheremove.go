package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches/named"
	"larder/caches/payload"
)

func cacheRemoveCommand() *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "remove the caches and payloads whose name matches", ArgsUsage: "PATTERN",
		Description: "What a run uses is kept, whatever the flags say. On a terminal, a pattern that matches\n" +
			"more than one asks first. Exit code 1: all that matched is in use.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Usage: "only show what would be removed"},
			&cli.BoolFlag{Name: "force", Usage: "do not ask"},
			formatFlag(),
		},
		Action: cacheRemove,
	}
}

// codeAllInUse is the exit code of remove when there was something to remove and
// all of it is in use.
const codeAllInUse = 1

func cacheRemove(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	format, err := knownFormat(command)
	if err != nil {
		return err
	}
	pattern := command.Args().First()
	rows, err := shop.list(pattern)
	switch {
	case err != nil:
		return err
	case len(rows) == 0:
		return fmt.Errorf("no cache matches %q; larder cache list shows what there is", pattern)
	case command.Bool("dry-run"):
		return rehearseRemoval(format, rows)
	case len(rows) > 1 && !command.Bool("force") && isTerminal(os.Stdin) && isTerminal(os.Stdout) && !agreed(rows):
		return fmt.Errorf("nothing was removed")
	}
	return shop.remove(ctx, format, pattern)
}

func (w *workshop) remove(ctx context.Context, format, pattern string) error {
	removal, err := w.named.Remove(ctx, pattern)
	copies, copiesErr := w.payloads.Remove(ctx, pattern)
	var report removalReport
	for _, row := range removal.Removed {
		report.removed(describeRow(row))
	}
	for _, row := range removal.Skipped {
		report.kept(describeRow(row), "it is in use; try again when its runs have ended")
	}
	for _, row := range copies.Removed {
		report.removed(describePayload(row))
	}
	for _, row := range copies.Skipped {
		report.kept(describePayload(row), "it is in use or being copied; try again later")
	}
	if err = errors.Join(err, copiesErr); err != nil {
		return errors.Join(advised(err), report.print(format))
	}
	if err := report.print(format); err != nil {
		return err
	}
	return allInUse(len(report.Removed), len(report.Kept))
}

// rehearseRemoval says what would be done.
func rehearseRemoval(format string, rows []cacheRow) error {
	report := removalReport{DryRun: true}
	for _, row := range rows {
		switch row.Status {
		case string(named.InUse), string(payload.Copying), string(payload.Removing):
			report.kept(row, "it is "+row.Status)
		default:
			report.removed(row)
		}
	}
	if err := report.print(format); err != nil {
		return err
	}
	return allInUse(len(report.Removed), len(report.Kept))
}

// rowText names a row as it is written elsewhere.
func rowText(row cacheRow) string {
	if row.Kind == kindPayload {
		return row.Name + " (payload)"
	}
	return fmt.Sprintf("%s (%s, %s)", row.Name, row.Kind, scopeText(row))
}

func allInUse(removed, kept int) error {
	if removed > 0 || kept == 0 {
		return nil
	}
	complain(fmt.Errorf("all that matched is in use, so nothing was removed"))
	return exitCode(codeAllInUse)
}

// agreed asks whether several caches are to be removed.
func agreed(rows []cacheRow) bool {
	var bytes int64
	out := outlet{to: os.Stdout}
	for _, row := range rows {
		bytes += row.Bytes
		out.printf("%s\n", rowText(row))
	}
	out.printf("Remove these %d (%s)? [y/N] ", len(rows), forPeople(size(bytes)))
	if out.err() != nil {
		return false // nobody has read the question
	}
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
