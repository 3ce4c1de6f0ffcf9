package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches/upkeep"
)

func cacheVerifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "find what is missing or damaged",
		Description: "The exit code is 1 when something damaged is left. What cannot be read, now and by\n" +
			"this user, is named and is no damage. So is a large layer that was published a moment\n" +
			"ago, of which nothing was written down yet to hold it against.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check-contents", Usage: "read every byte"},
			&cli.BoolFlag{Name: "repair", Usage: "remove what is damaged, or go back to what is whole"},
			formatFlag(),
		},
		Action: cacheVerify,
	}
}

func cacheVerify(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	show := verifyOutput{out: outlet{to: os.Stdout}, findings: []findingRow{}}
	if show.format, err = knownFormat(command); err != nil {
		return err
	}
	shop.layout.Leave()
	look := upkeep.Look{Contents: command.Bool("check-contents"), Repair: command.Bool("repair")}
	done, err := shop.upkeep().Verify(ctx, look, show.finding)
	if err == nil {
		err = show.end(look, done)
	}
	if err == nil && done.Found[upkeep.Damaged] > 0 {
		err = exitCode(1)
	}
	return err
}

// verifyOutput shows what verify finds, in the form of --format.
type verifyOutput struct {
	out      outlet
	format   string
	findings []findingRow
}

// findingRow is something that is not as it should be, in the output of verify.
type findingRow struct {
	State   upkeep.State `json:"state"`
	Kind    string       `json:"kind"`
	Path    string       `json:"path"`
	Problem string       `json:"problem"`
	Done    string       `json:"done,omitempty"`
}

// finding shows one as it is found. JSON is one value, so it comes at the end.
func (o *verifyOutput) finding(f upkeep.Finding) {
	switch o.format {
	case "json":
		o.findings = append(o.findings, findingRow{f.State, f.Kind.One(), f.Path, f.Problem, f.Done})
	case "tab":
		o.out.printf("%s\n", strings.Join(texts([]any{f.State, f.Kind.One(), f.Path, f.Problem, f.Done}, forPrograms), "\t"))
	default:
		o.out.printf("%s\n", findingText(f))
	}
}

func (o *verifyOutput) end(look upkeep.Look, done upkeep.Verified) error {
	switch o.format {
	case "json":
		return printJSON(struct {
			Looked   map[upkeep.Kind]int  `json:"looked"`
			Found    map[upkeep.State]int `json:"found"`
			Findings []findingRow         `json:"findings"`
		}{done.Looked, done.Found, o.findings})
	case "tab":
		return o.out.err()
	}
	looked, found := done.Looked, done.Found
	o.out.printf("looked at %d blobs, %d results, %d named caches, %d input trees and %d payloads: %d damaged, %d repaired, %d unreadable\n",
		looked[upkeep.Blobs], looked[upkeep.Results], looked[upkeep.Caches], looked[upkeep.Trees], looked[upkeep.Payloads],
		found[upkeep.Damaged], found[upkeep.Repaired], found[upkeep.Unreadable])
	if n := found[upkeep.Unlisted]; n > 0 {
		o.out.printf("%d not judged: their content is known from now on, and the next look will find what changes\n", n)
	}
	if found[upkeep.Damaged] > 0 && !look.Repair {
		o.out.printf("larder cache verify --repair removes what is damaged; it is made again when it is needed\n")
	}
	return o.out.err()
}

func findingText(f upkeep.Finding) string {
	text := fmt.Sprintf("%s %s %s: %s", f.State, f.Kind.One(), f.Path, f.Problem)
	switch {
	case f.Done != "":
		text += "; " + f.Done
	case f.State == upkeep.Unreadable:
		text += "; look for errors of the disk in the kernel's log, and for who may read it"
	}
	return text
}
