package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/executor"
)

func cacheListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list named caches, payloads and kept sandboxes", ArgsUsage: "[PATTERN]",
		Description: "Columns: " + strings.Join(columnNames(), ", ") + ".\n" +
			"A filter is COLUMN=GLOB or COLUMN!=GLOB; for numbers, sizes and times also COLUMN>VALUE or COLUMN<VALUE:\n" +
			"--filter 'kind=mutable' --filter 'size>100M' --filter 'last-used>7d' (longer ago than 7 days).\n" +
			"In a GLOB, * is any text. More than one filter must all hold.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "columns", Usage: "`NAMES` of the columns to show, separated by commas"},
			repeated{known(&cli.StringSliceFlag{Name: "filter", Usage: "show only where `COLUMN=GLOB`, or with !=, > or <; repeatable"})},
			formatFlag(),
		},
		DisableSliceFlagSeparator: true,
		Action:                    cacheList,
	}
}

// kindPayload is the kind of a payload, kindSandbox that of a kept sandbox; that
// of a named cache is its mode.
const (
	kindPayload = "payload"
	kindSandbox = "sandbox"
)

// cacheRow is a named cache, a payload or a kept sandbox in the output of list and
// inspect. The name of a payload is the path of its source, that of a kept sandbox
// its folder.
type cacheRow struct {
	Name        string    `json:"name"`
	Kind        string    `json:"kind"`
	Mode        string    `json:"mode,omitempty"`
	Scope       string    `json:"scope"`
	Repository  string    `json:"repository,omitempty"`
	Key         string    `json:"key,omitempty"`
	Live        bool      `json:"live,omitempty"`
	Status      string    `json:"status"`
	Head        string    `json:"head,omitempty"`
	Generations int       `json:"generations"`
	Layers      int       `json:"layers"`
	Entries     int64     `json:"entries"`
	Bytes       int64     `json:"bytes"`
	Copied      int64     `json:"copied_bytes,omitempty"` // of a payload, so far
	LastUsed    time.Time `json:"last_used,omitzero"`
	Command     []string  `json:"command,omitempty"` // that had run in a kept sandbox
	ID          string    `json:"id"`
	Durable     bool      `json:"durable"` // the head would outlive a power cut
	Problem     string    `json:"problem,omitempty"`
}

func describeRow(row named.Row) cacheRow {
	described := cacheRow{
		Name: row.Ref.Name.String(), Kind: row.Ref.Mode.String(), Mode: row.Ref.Mode.String(), Scope: row.Ref.Scope.String(), Key: row.Ref.Key, Live: row.Ref.Live,
		Status: string(row.Status), Head: row.Head, Generations: row.Generations, Layers: row.Layers,
		Entries: row.Entries, Bytes: row.Bytes, LastUsed: row.LastUsed, ID: row.ID, Durable: row.Durable,
	}
	if row.Ref.Scope.Kind() == caches.ScopeRepo {
		described.Repository = row.Ref.Scope.Detail()
	}
	if row.Problem != nil {
		described.Problem = executor.OneLine(row.Problem)
	}
	return described
}

func describePayload(row payload.Row) cacheRow {
	described := cacheRow{
		Name: row.Path, Kind: kindPayload, Status: string(row.Status), Entries: row.Files, Bytes: row.Bytes,
		Copied: row.Copied, LastUsed: row.LastUsed, ID: row.ID,
	}
	if row.Problem != nil {
		described.Problem = executor.OneLine(row.Problem)
	}
	return described
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

// listColumn is a column that list can show and filter by.
type listColumn struct {
	name  string
	usual bool // shown when no columns are asked for
	cell  func(cacheRow) any
}

func listColumns() []listColumn {
	return []listColumn{
		{"name", true, func(r cacheRow) any { return r.Name }},
		{"kind", true, func(r cacheRow) any { return r.Kind }},
		{"scope", true, func(r cacheRow) any { return scopeText(r) }},
		{"status", true, func(r cacheRow) any { return r.Status }},
		{"size", true, func(r cacheRow) any { return size(r.Bytes) }},
		{"entries", true, func(r cacheRow) any { return r.Entries }},
		{"layers", true, func(r cacheRow) any { return r.Layers }},
		{"last-used", true, func(r cacheRow) any { return when(r.LastUsed) }},
		{"head", true, func(r cacheRow) any { return r.Head }},
		{"durable", true, func(r cacheRow) any { return yesNo(r.Durable) }},
		{"generations", false, func(r cacheRow) any { return r.Generations }},
		{"copied", false, func(r cacheRow) any { return size(r.Copied) }},
		{"key", false, func(r cacheRow) any { return r.Key }},
		{"command", false, func(r cacheRow) any { return strings.Join(r.Command, " ") }},
		{"id", false, func(r cacheRow) any { return r.ID }},
		{"problem", false, func(r cacheRow) any { return r.Problem }},
	}
}

func columnNames() []string {
	var names []string
	for _, column := range listColumns() {
		names = append(names, column.name)
	}
	return names
}

func columnNamed(name string) (listColumn, error) {
	for _, column := range listColumns() {
		if column.name == name {
			return column, nil
		}
	}
	return listColumn{}, fmt.Errorf("there is no column %q; there are %s", name, strings.Join(columnNames(), ", "))
}

// chosenColumns reads --columns.
func chosenColumns(text string) ([]listColumn, error) {
	if text == "" {
		return slices.DeleteFunc(listColumns(), func(c listColumn) bool { return !c.usual }), nil
	}
	var columns []listColumn
	for _, name := range strings.Split(text, ",") {
		column, err := columnNamed(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("--columns: %w", err)
		}
		columns = append(columns, column)
	}
	return columns, nil
}

func cacheList(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 1); err != nil {
		return err
	}
	columns, err := chosenColumns(command.String("columns"))
	if err != nil {
		return err
	}
	filters, err := parseFilters(command.StringSlice("filter"), time.Now())
	if err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	rows, err := shop.list(command.Args().First())
	if err != nil {
		return err
	}
	kept, err := shop.keptSandboxes(command.Args().First())
	if err != nil {
		return err
	}
	rows = append(rows, kept...)
	rows = slices.DeleteFunc(rows, func(row cacheRow) bool { return !filters.pass(row) })
	return listTable(columns, rows).print(command, listJSON(command.String("columns"), columns, rows))
}

// list describes the caches whose name matches a pattern, and then the payloads.
func (w *workshop) list(pattern string) ([]cacheRow, error) {
	found, err := w.named.List(pattern)
	if err != nil {
		return nil, err
	}
	copies, err := w.payloads.List(pattern)
	if err != nil {
		return nil, err
	}
	rows := make([]cacheRow, 0, len(found)+len(copies))
	for _, row := range found {
		rows = append(rows, describeRow(row))
	}
	for _, row := range copies {
		rows = append(rows, describePayload(row))
	}
	return rows, nil
}

func listTable(columns []listColumn, rows []cacheRow) *table {
	out := &table{}
	for _, column := range columns {
		out.heading = append(out.heading, strings.ToUpper(strings.ReplaceAll(column.name, "-", " ")))
	}
	for _, row := range rows {
		var cells []any
		for _, column := range columns {
			cells = append(cells, column.cell(row))
		}
		out.add(cells...)
	}
	return out
}

// listJSON is all that is known of each row, or the columns that were asked for
// under their names.
func listJSON(asked string, columns []listColumn, rows []cacheRow) any {
	if asked == "" {
		return rows
	}
	chosen := make([]map[string]any, 0, len(rows))
	for _, row := range rows {
		one := map[string]any{}
		for _, column := range columns {
			one[column.name] = column.cell(row)
			if at, ok := one[column.name].(when); ok {
				one[column.name] = time.Time(at)
			}
		}
		chosen = append(chosen, one)
	}
	return chosen
}
