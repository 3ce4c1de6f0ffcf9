package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/named"
	"larder/executor/local"
)

// generationRow is a generation in the output of history and inspect.
type generationRow struct {
	Generation string    `json:"generation"`
	Parent     string    `json:"parent,omitempty"`
	SameAs     string    `json:"same_as,omitempty"`
	How        string    `json:"how"`
	Created    time.Time `json:"created"`
	Layers     int       `json:"layers"`
	Entries    int64     `json:"entries"`
	Bytes      int64     `json:"bytes"`
	Durable    bool      `json:"durable"`
}

func describeGenerations(generations []named.Generation) []generationRow {
	rows := make([]generationRow, 0, len(generations))
	for _, g := range generations {
		rows = append(rows, generationRow{g.ID, g.Parent, g.SameAs, g.How, g.Created, len(g.Layers), g.Entries, g.Bytes, g.Durable})
	}
	return rows
}

func cacheHistory(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, row, err := oneCache(command)
	if err != nil {
		return err
	}
	generations, err := shop.named.History(row.Ref)
	if err != nil {
		return err
	}
	rows := describeGenerations(generations)
	return generationTable(rows).print(command, rows)
}

func generationTable(rows []generationRow) *table {
	out := &table{heading: []string{"GENERATION", "HOW", "CREATED", "LAYERS", "ENTRIES", "SIZE", "DURABLE", "SAME AS"}}
	for _, row := range rows {
		out.add(row.Generation, row.How, when(row.Created), row.Layers, row.Entries, size(row.Bytes), yesNo(row.Durable), row.SameAs)
	}
	return out
}

func cacheInspect(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, row, err := oneCache(command)
	if err != nil {
		return err
	}
	inspection, err := shop.named.Inspect(row.Ref)
	if err != nil {
		return err
	}
	described := struct {
		cacheRow
		Folder  string          `json:"folder"`
		History []generationRow `json:"history"`
	}{describeRow(inspection.Row), inspection.Folder, describeGenerations(inspection.History)}
	if command.String("format") == "json" {
		return printJSON(described)
	}
	out := table{}
	for _, pair := range [][2]any{
		{"name", described.Name}, {"mode", described.Mode}, {"scope", scopeText(described.cacheRow)}, {"status", described.Status},
		{"size", size(described.Bytes)}, {"entries", described.Entries}, {"layers", described.Layers},
		{"last used", when(described.LastUsed)}, {"head", described.Head}, {"durable", yesNo(described.Durable)}, {"folder", described.Folder}, {"id", described.ID},
	} {
		out.add(pair[0], pair[1])
	}
	if described.Problem != "" {
		out.add("problem", described.Problem)
	}
	if err := out.print(command, nil); err != nil {
		return err
	}
	if _, err := fmt.Println(); err != nil {
		return err
	}
	return generationTable(described.History).print(command, nil)
}

// oneCache finds the cache that the first argument names: by its id, or by its
// name when only one cache has it, or one of this repository.
func oneCache(command *cli.Command) (*workshop, named.Row, error) {
	shop, err := openHere(command)
	if err != nil {
		return nil, named.Row{}, err
	}
	rows, err := shop.named.List("")
	if err != nil {
		return nil, named.Row{}, err
	}
	name := command.Args().First()
	rows = called(rows, name)
	if len(rows) > 1 {
		if ours := ofThisRepository(rows); len(ours) == 1 {
			rows = ours
		}
	}
	switch len(rows) {
	case 0:
		return nil, named.Row{}, fmt.Errorf("there is no cache %q; larder cache list shows what there is", name)
	case 1:
		return shop, rows[0], nil
	}
	var choices strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&choices, "\n  %s  %s", row.ID, row.Ref)
	}
	return nil, named.Row{}, fmt.Errorf("%d caches are called %q; say which by its id, or the start of it:%s", len(rows), name, choices.String())
}

// shortestID is how much of an id says which cache is meant, if it is one only.
const shortestID = 4

// called lists the caches with a name or an id, or else with the start of an id.
func called(rows []named.Row, name string) []named.Row {
	var exact, short []named.Row
	for _, row := range rows {
		switch {
		case row.ID == name || row.Ref.Name.String() == name:
			exact = append(exact, row)
		case len(name) >= shortestID && strings.HasPrefix(row.ID, name):
			short = append(short, row)
		}
	}
	if exact != nil {
		return exact
	}
	return short
}

func ofThisRepository(rows []named.Row) []named.Row {
	here, err := os.Getwd()
	if err != nil {
		return nil
	}
	repository := local.RepositoryOf(here)
	return slices.DeleteFunc(slices.Clone(rows), func(row named.Row) bool { return row.Ref.Scope.Detail() != repository })
}
