package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/digest"
)

// algebraCommands make trees of trees, and compare them.
func algebraCommands() []*cli.Command {
	return []*cli.Command{
		mergeCommand(),
		algebraCommand("diff", "list what differs between two trees", "DIGEST[:PATH] DIGEST[:PATH]", digestDiff),
		algebraCommand("subset", "print the tree of what patterns in gitignore syntax select of a tree", "DIGEST[:PATH] PATTERN...", digestSubset),
		algebraCommand("add-prefix", "print the tree that has a tree at a path", "DIGEST[:PATH] PREFIX", digestAddPrefix),
		algebraCommand("strip-prefix", "print the tree at a path, beside which there is nothing", "DIGEST[:PATH] PREFIX", digestStripPrefix),
		algebraCommand("fingerprints", "list the files of a tree with their digests", "DIGEST[:PATH]", digestFingerprints),
	}
}

func algebraCommand(name, usage, args string, action cli.ActionFunc) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: args, Action: action, OnUsageError: usageError,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
	}
}

// givenTree finds the tree that DIGEST or DIGEST:PATH names.
func (w *workshop) givenTree(ctx context.Context, text string) (digest.Digest, error) {
	text, path, hasPath := strings.Cut(text, ":")
	d, err := digest.Parse(w.blobs.Function(), text)
	if err != nil || !hasPath {
		return d, err
	}
	entry, err := digest.Lookup(ctx, w.blobs, d, withoutSlash(path))
	if err != nil {
		return d, err
	}
	if entry.Kind != digest.KindDirectory {
		return d, fmt.Errorf("%s in tree %s is a %s, not a directory", digest.Quote(path), d, entry.Kind)
	}
	return entry.Digest, nil
}

// treeAnswer is what a verb prints with --json whose answer is a tree.
type treeAnswer struct {
	Digest   string `json:"digest"`
	Function string `json:"digest_function"`
}

func printTree(command *cli.Command, tree digest.Digest) error {
	if command.Bool("json") {
		return printJSON(treeAnswer{tree.String(), tree.Function().String()})
	}
	_, err := fmt.Println(tree)
	return err
}

// oneTree opens the store and finds the tree of the first argument, after
// which there have to be as many more as it is told.
func oneTree(ctx context.Context, command *cli.Command, least, most int) (*workshop, digest.Digest, error) {
	if err := needArgs(command, 1+least, 1+most); err != nil {
		return nil, digest.Digest{}, err
	}
	shop, err := openHere(command)
	if err != nil {
		return nil, digest.Digest{}, err
	}
	tree, err := shop.givenTree(ctx, command.Args().First())
	return shop, tree, err
}

func digestSubset(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 2, -1); err != nil {
		return err
	}
	patterns := command.Args().Tail()
	shop, tree, err := oneTree(ctx, command, len(patterns), len(patterns))
	if err != nil {
		return err
	}
	part, err := digest.Subset(ctx, shop.blobs, shop.blobs.Add, tree, patterns)
	if err != nil {
		return err
	}
	return printTree(command, part)
}

func digestAddPrefix(ctx context.Context, command *cli.Command) error {
	shop, tree, err := oneTree(ctx, command, 1, 1)
	if err != nil {
		return err
	}
	whole, err := digest.AddPrefix(ctx, shop.blobs, shop.blobs.Add, tree, prefixOf(command))
	if err != nil {
		return err
	}
	return printTree(command, whole)
}

func digestStripPrefix(ctx context.Context, command *cli.Command) error {
	shop, tree, err := oneTree(ctx, command, 1, 1)
	if err != nil {
		return err
	}
	part, err := digest.StripPrefix(ctx, shop.blobs, tree, prefixOf(command))
	if errors.Is(err, digest.ErrPrefix) {
		return fmt.Errorf("%w; larder digest strip-prefix %s:%s . leaves that out", err, tree, prefixOf(command))
	}
	if err != nil {
		return err
	}
	return printTree(command, part)
}

// prefixOf is the second argument.
func prefixOf(command *cli.Command) string { return withoutSlash(command.Args().Get(1)) }

// withoutSlash is a path without the slash that shells, and larder's own lists, add
// to the name of a directory.
func withoutSlash(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

func digestFingerprints(ctx context.Context, command *cli.Command) error {
	shop, tree, err := oneTree(ctx, command, 0, 0)
	if err != nil {
		return err
	}
	out := newLines()
	err = digest.Fingerprints(ctx, shop.blobs, tree, func(file digest.Entry) error {
		if command.Bool("json") {
			return out.json(listed(file))
		}
		return out.text(file.Digest.String(), digest.Quote(file.Path))
	})
	return out.end(err)
}

// listedChange is one line of digest diff --json. A side on which there is
// nothing is left out.
type listedChange struct {
	Path   string       `json:"path"`
	Change string       `json:"change"` // added, removed or changed
	Before *listedEntry `json:"before,omitempty"`
	After  *listedEntry `json:"after,omitempty"`
}

func digestDiff(ctx context.Context, command *cli.Command) error {
	shop, before, err := oneTree(ctx, command, 1, 1)
	if err != nil {
		return err
	}
	after, err := shop.givenTree(ctx, command.Args().Get(1))
	if err != nil {
		return err
	}
	out := newLines()
	err = digest.Diff(ctx, shop.blobs, before, after, func(c digest.Change) error {
		if c.Before.Kind == digest.KindDirectory && c.After.Kind == digest.KindDirectory {
			return nil // what differs below it follows
		}
		if command.Bool("json") {
			return out.json(changeOf(c))
		}
		return out.change(c)
	})
	return out.end(err)
}

func changeOf(c digest.Change) listedChange {
	line := listedChange{Path: c.Path, Change: "changed"}
	if c.Before.Kind == 0 {
		line.Change = "added"
	} else {
		before := listed(c.Before)
		line.Before = &before
	}
	if c.After.Kind == 0 {
		line.Change = "removed"
	} else {
		after := listed(c.After)
		line.After = &after
	}
	return line
}
