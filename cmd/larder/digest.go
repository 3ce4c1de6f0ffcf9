package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches/cas"
	"larder/digest"
)

func digestCommand() *cli.Command {
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	return &cli.Command{
		Name: "digest", Usage: "look at trees and blobs in the store",
		Action: helpOrUnknown, OnUsageError: usageError,
		Commands: append([]*cli.Command{
			{
				Name: "scan", Usage: "store a directory as a tree and print its digest", ArgsUsage: "DIR",
				Flags: []cli.Flag{
					&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "only what `PATTERN` selects, in gitignore syntax (default: '.', all that ignore files do not exclude)"},
					asJSON,
				},
				DisableSliceFlagSeparator: true, Action: digestScan, OnUsageError: usageError,
			},
			{Name: "ls", Usage: "list a tree", ArgsUsage: "DIGEST[:PATH]", Flags: []cli.Flag{asJSON}, Action: digestList, OnUsageError: usageError},
			{Name: "cat", Usage: "print a blob, or a file of a tree", ArgsUsage: "DIGEST[:PATH]", Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print what it is, as JSON, and not its content"}}, Action: digestCat, OnUsageError: usageError},
			{Name: "export", Usage: "write a tree, or a blob, to the host", ArgsUsage: "DIGEST[:PATH] DIR", Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print what was written, as JSON"}}, Action: digestExport, OnUsageError: usageError},
		}, algebraCommands()...),
	}
}

func digestScan(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	root, err := filepath.Abs(command.Args().First())
	if err != nil {
		return fmt.Errorf("find the directory: %w", err)
	}
	shop, err := openWorkshop(command, root)
	if err != nil {
		return err
	}
	patterns := command.StringSlice("input")
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	file := shop.store().IndexFile(root)
	index := digest.LoadIndex(file, shop.blobs.Function())
	tree, err := digest.Scan(ctx, root, digest.ScanOptions{Function: shop.blobs.Function(), Patterns: patterns, Index: index})
	if err != nil {
		return err
	}
	// The index is advice: when it cannot be written the next scan is slower.
	_ = index.Save(func(data []byte) error { return shop.layout.WriteFile(file, data, 0o644) })
	if err := shop.blobs.AddTree(ctx, tree, root); err != nil {
		return err
	}
	if command.Bool("json") {
		return printJSON(map[string]any{"digest": tree.Root.String(), "files": tree.Stats.Files, "digest_function": shop.blobs.Function().String()})
	}
	_, err = fmt.Println(tree.Root)
	return err
}

// listedEntry is one line of digest ls --json.
type listedEntry struct {
	Path       string `json:"path,omitempty"`
	Kind       string `json:"kind"`
	Digest     string `json:"digest,omitempty"`
	Executable bool   `json:"executable,omitempty"`
	Target     string `json:"target,omitempty"`
}

func digestList(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, entry, err := namedEntry(ctx, command)
	if err != nil {
		return err
	}
	if entry.Kind != digest.KindDirectory {
		return fmt.Errorf("%s is a file, not a tree; larder digest cat prints it", command.Args().First())
	}
	out := newLines()
	err = digest.Walk(ctx, shop.blobs, entry.Digest, func(path string, entry digest.Entry) error {
		if command.Bool("json") {
			return out.json(listed(entry))
		}
		return out.text(listLine(path, entry))
	})
	return out.end(err)
}

func listed(e digest.Entry) listedEntry {
	return listedEntry{e.Path, e.Kind.String(), e.Digest.String(), e.Executable, e.Target}
}

func listLine(path string, entry digest.Entry) string {
	path = digest.Quote(path)
	switch {
	case entry.Kind == digest.KindDirectory:
		return fmt.Sprintf("d %s %s/", entry.Digest, path)
	case entry.Kind == digest.KindSymlink:
		return fmt.Sprintf("l %s -> %s", path, digest.Quote(entry.Target))
	case entry.Executable:
		return fmt.Sprintf("x %s %s", entry.Digest, path)
	}
	return fmt.Sprintf("f %s %s", entry.Digest, path)
}

func digestCat(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 1, 1); err != nil {
		return err
	}
	shop, entry, err := namedEntry(ctx, command)
	if err != nil {
		return err
	}
	if command.Bool("json") {
		if entry.Kind != digest.KindSymlink && !shop.blobs.Has(entry.Digest) {
			return fmt.Errorf("blob %s: %w", entry.Digest, cas.ErrMissing)
		}
		return printJSON(listed(entry))
	}
	if entry.Kind == digest.KindSymlink {
		return fmt.Errorf("%s is a symbolic link to %s", command.Args().First(), entry.Target)
	}
	return shop.blobs.CopyTo(os.Stdout, entry.Digest)
}

func digestExport(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 2, 2); err != nil {
		return err
	}
	shop, entry, err := namedEntry(ctx, command)
	if err != nil {
		return err
	}
	if err := shop.blobs.Export(ctx, entry, command.Args().Get(1)); err != nil || !command.Bool("json") {
		return err
	}
	return printJSON(listed(entry))
}

// namedEntry finds what DIGEST or DIGEST:PATH means. A digest alone is a tree
// when its blob reads as a directory, unless the blob is too large for one.
func namedEntry(ctx context.Context, command *cli.Command) (*workshop, digest.Entry, error) {
	shop, err := openHere(command)
	if err != nil {
		return nil, digest.Entry{}, err
	}
	text, path, hasPath := strings.Cut(command.Args().First(), ":")
	d, err := digest.Parse(shop.blobs.Function(), text)
	if err != nil {
		return nil, digest.Entry{}, err
	}
	if hasPath {
		entry, err := digest.Lookup(ctx, shop.blobs, d, withoutSlash(path))
		return shop, entry, err
	}
	kind, err := shop.kindOf(ctx, d, command.Name)
	return shop, digest.Entry{Kind: kind, Digest: d}, err
}

func (w *workshop) kindOf(ctx context.Context, d digest.Digest, verb string) (digest.Kind, error) {
	largestDirectory := int64(64 << 20)
	if verb == "ls" { // for which a blob would be a mistake anyway
		largestDirectory = 256 << 20
	}
	if verb == "cat" || d.Size() > largestDirectory {
		return digest.KindFile, nil
	}
	data, err := w.blobs.Blob(ctx, d)
	if err != nil {
		return 0, err
	}
	if _, err := digest.DecodeDirectory(w.blobs.Function(), data); err != nil {
		return digest.KindFile, nil
	}
	return digest.KindDirectory, nil
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
