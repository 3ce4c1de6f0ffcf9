package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"larder/caches/upkeep"
)

// roomRow is a line of the output of du.
type roomRow struct {
	Kind  string `json:"kind"`
	Cache string `json:"cache,omitempty"`
	ID    string `json:"id,omitempty"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"` // on disk, a file with several names once
}

func cacheDU(ctx context.Context, command *cli.Command) error {
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
	kinds, err := kindRows(shop, usage)
	if err != nil {
		return err
	}
	out := table{heading: []string{"ON DISK", "FILES", "WHAT"}}
	for _, row := range kinds {
		what := row.Kind
		if row.Cache != "" {
			what = "  " + row.Cache
		}
		out.add(size(row.Bytes), row.Files, what)
	}
	out.add(size(usage.Total.Bytes), usage.Total.Files, "in all")
	return out.print(command, struct {
		Store string    `json:"store"`
		Bytes int64     `json:"bytes"`
		Files int64     `json:"files"`
		Rows  []roomRow `json:"rows"`
	}{shop.layout.Root(), usage.Total.Bytes, usage.Total.Files, kinds})
}

// kindRows lists what takes room, the largest first, and below the named caches
// each of them.
func kindRows(shop *workshop, usage upkeep.Usage) ([]roomRow, error) {
	rows := []roomRow{}
	for _, kind := range upkeep.Largest(usage.Kinds) {
		room := usage.Kinds[kind]
		rows = append(rows, roomRow{Kind: string(kind), Files: room.Files, Bytes: room.Bytes})
		if kind != upkeep.Caches {
			continue
		}
		names, err := cacheNames(shop)
		if err != nil {
			return nil, err
		}
		for _, id := range upkeep.Largest(usage.Caches) {
			room, name := usage.Caches[id], names[id]
			if name == "" {
				name = id
			}
			rows = append(rows, roomRow{Kind: string(kind), Cache: name, ID: id, Files: room.Files, Bytes: room.Bytes})
		}
	}
	return rows, nil
}

func cacheNames(shop *workshop) (map[string]string, error) {
	rows, err := shop.named.List("")
	names := map[string]string{}
	for _, row := range rows {
		if row.Ref.Name.String() != "" {
			names[row.ID] = row.Ref.String()
		}
	}
	return names, err
}

// upkeep is what looks after the whole store.
func (w *workshop) upkeep() *upkeep.Store { return upkeep.Open(w.layout, w.journal) }

// reportProblems names what could not be looked at. It fails nothing: the rest
// was done.
func reportProblems(problems []upkeep.Problem) {
	for _, problem := range problems {
		tell("warning: %v", problem)
	}
}
