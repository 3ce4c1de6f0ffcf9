package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/urfave/cli/v3"

	"larder/caches"
)

// partRow is one folder of the store in the output of info.
type partRow struct {
	Folder string `json:"folder"`
	Known  bool   `json:"known"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"` // on disk, a file with several names once
}

func cacheInfo(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	parts, err := measureParts(shop.layout)
	if err != nil {
		return err
	}
	out := table{heading: []string{"FOLDER", "FILES", "ON DISK", ""}}
	for _, part := range parts {
		note := ""
		if !part.Known {
			note = "of another version of larder; left alone"
		}
		out.add(part.Folder, part.Files, size(part.Bytes), note)
	}
	if command.String("format") == "human" {
		fmt.Printf("store: %s\n", shop.layout.Root())
	}
	return out.print(command, struct {
		Store string    `json:"store"`
		Parts []partRow `json:"parts"`
	}{shop.layout.Root(), parts})
}

func measureParts(layout caches.Layout) ([]partRow, error) {
	folders, err := os.ReadDir(layout.Root())
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	seen := map[uint64]bool{}
	var parts []partRow
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		part := partRow{Folder: folder.Name(), Known: slices.Contains(caches.KnownFolders(), folder.Name())}
		measure(filepath.Join(layout.Root(), folder.Name()), seen, &part)
		parts = append(parts, part)
	}
	return parts, nil
}

// measure adds up a folder as far as it can be read: other runs may be adding
// and removing at the same time.
func measure(folder string, seen map[uint64]bool, part *partRow) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || seen[stat.Ino] {
			return nil
		}
		seen[stat.Ino] = true
		part.Bytes += stat.Blocks * 512
		if !entry.IsDir() {
			part.Files++
		}
		return nil
	})
}
