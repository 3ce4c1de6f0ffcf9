package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"
)

// partRow is one folder of the store in the output of info.
type partRow struct {
	Folder string `json:"folder"`
	Known  bool   `json:"known"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"` // on disk, a file with several names once
	Note   string `json:"note,omitempty"`
}

func cacheInfo(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	usage, err := shop.upkeep().Usage(ctx)
	if err != nil {
		return err
	}
	reportProblems(usage.Problems)
	parts := make([]partRow, 0, len(usage.Parts))
	out := table{heading: []string{"FOLDER", "FILES", "ON DISK", ""}}
	for _, part := range usage.Parts {
		row := partRow{Folder: part.Folder, Known: part.Known, Files: part.Files, Bytes: part.Bytes}
		if !part.Known {
			row.Note = oldFormatNote(part.Folder)
		}
		parts = append(parts, row)
		out.add(row.Folder, row.Files, size(row.Bytes), row.Note)
	}
	if command.String("format") == "human" {
		if _, err := fmt.Printf("store: %s\n", shop.layout.Root()); err != nil {
			return err
		}
	}
	return out.print(command, struct {
		Store string    `json:"store"`
		Parts []partRow `json:"parts"`
	}{shop.layout.Root(), parts})
}
