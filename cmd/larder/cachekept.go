package main

import (
	"path"
	"path/filepath"

	"larder/caches/upkeep"
	"larder/executor/local"
)

// keptSandboxes describes the kept sandboxes that a pattern matches: their folder,
// its name, or a glob for either. Their size is what the disk holds of them, for
// which each is walked.
func (w *workshop) keptSandboxes(pattern string) ([]cacheRow, error) {
	found, err := local.ListKept(w.layout)
	if err != nil {
		return nil, err
	}
	var rows []cacheRow
	for _, row := range found {
		name := filepath.Base(row.Folder)
		whole, _ := path.Match(pattern, row.Folder)
		last, _ := path.Match(pattern, name)
		if pattern == "" || whole || last {
			rows = append(rows, describeKept(row, name))
		}
	}
	return rows, nil
}

func describeKept(row local.KeptRow, id string) cacheRow {
	room := upkeep.Measure(row.Folder)
	described := cacheRow{
		Name: row.Folder, Kind: kindSandbox, Status: "cached", Command: row.Command,
		Entries: room.Files, Bytes: room.Bytes, LastUsed: row.Used, ID: id,
	}
	switch {
	case row.InUse:
		described.Status = "in-use"
	case row.Problem != nil:
		described.Status, described.Problem = "corrupt", row.Problem.Error()
	}
	return described
}
