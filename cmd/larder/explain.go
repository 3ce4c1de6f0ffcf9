package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/action/compare"
	"larder/executor/explain"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say what differs between two actions", ArgsUsage: "KEY|FILE KEY|FILE",
		Description: "KEY is that of a result record (\"key\"). FILE is a result record, as --json of larder run writes it, or a\n" +
			"spec, as --spec reads it: its key is found from the inputs and the tools as they are now. What an action\n" +
			"was made of is known as long as its result is kept, or it was the last run of its command.\n\n" +
			"Values of environment variables that look like secrets are neither kept nor shown.",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "format", Value: "human", Usage: "`FORMAT`: human or json"}},
		OnUsageError: usageError, Action: explainActions,
	}
}

// explainActions is larder explain.
func explainActions(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 2, 2); err != nil {
		return err
	}
	bounds := explain.FewPaths()
	switch format := command.String("format"); format {
	case "human":
	case "json":
		bounds.Shown = 1000
	default:
		return fmt.Errorf("--format: %w value %q: use human or json", caches.ErrInvalid, format)
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	finder := actionFinder{shop, shop.past(), command}
	var sides [2]foundAction
	for i, text := range command.Args().Slice() {
		if sides[i], err = finder.find(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	past := shop.past()
	past.Trees = sides[0].trees.Over(sides[1].trees.Over(past.Trees))
	differences, err := past.Differences(ctx, sides[0].Action, sides[1].Action, bounds)
	if err != nil {
		return err
	}
	if command.String("format") == "json" {
		return printJSON(explanation{sides[0].key, sides[1].key, append([]compare.Difference{}, differences...)})
	}
	out := outlet{to: os.Stdout}
	if len(differences) == 0 {
		out.printf("nothing differs: the two actions have the same key\n")
	}
	for _, d := range differences {
		for _, line := range d.Lines() {
			out.printf("%s\n", line)
		}
	}
	return out.err()
}

// explanation is larder explain --format json.
type explanation struct {
	Before      string               `json:"before"`
	After       string               `json:"after"`
	Differences []compare.Difference `json:"differences"`
}

// foundAction is an action with its key; trees has the directories of its inputs
// where those need not be in the store.
type foundAction struct {
	compare.Action
	key   string
	trees explain.Made
}

// actionFinder finds what actions are made of.
type actionFinder struct {
	shop    *workshop
	past    explain.Past
	command *cli.Command
}

// find reads KEY, or a FILE.
func (f actionFinder) find(ctx context.Context, text string) (foundAction, error) {
	if key, err := digest.Parse(f.shop.blobs.Function(), text); err == nil {
		return f.known(key)
	}
	data, err := os.ReadFile(text)
	if errors.Is(err, os.ErrNotExist) {
		return foundAction{}, errors.New("there is no such file, and it is no key, which is HASH/SIZE as in \"key\" of a result record")
	}
	if err != nil {
		return foundAction{}, err
	}
	var record struct {
		Status   action.Status `json:"status"`
		Key      string        `json:"key"`
		Function string        `json:"digest_function"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if decoder.Decode(&record) != nil || record.Status == "" {
		return f.spec(ctx, data)
	}
	if decoder.More() {
		return foundAction{}, errors.New("it holds several records; give the \"key\" of one")
	}
	if record.Key == "" {
		return foundAction{}, errors.New("its run made no key; one with kept results (see --results) does, and so does --json with --no-cache")
	}
	fn, err := digest.ParseFunction(record.Function)
	if err != nil {
		return foundAction{}, err
	}
	key, err := digest.Parse(fn, record.Key)
	if err != nil {
		return foundAction{}, err
	}
	return f.known(key)
}

func (f actionFinder) known(key digest.Digest) (foundAction, error) {
	found, err := f.past.Action(key)
	if errors.Is(err, explain.ErrUnknown) {
		return foundAction{}, fmt.Errorf("%w in %s: its result was never kept, or is gone by now; run it again, give a spec in its place, or name another store with --store", err, f.shop.layout.Root())
	}
	return foundAction{Action: found, key: key.String()}, err
}

// spec finds the action that a spec would be now.
func (f actionFinder) spec(ctx context.Context, data []byte) (foundAction, error) {
	spec, err := action.ParseSpec(data)
	if err != nil {
		return foundAction{}, err
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return foundAction{}, fmt.Errorf("find the current directory: %w", err)
	}
	wanted, err := spec.Validate(here)
	if err == nil {
		err = checkRoot(wanted.Root)
	}
	if err != nil {
		return foundAction{}, err
	}
	key, inputs, err := f.shop.executor(f.shop.runner()).Identify(ctx, executor.Request{Action: wanted})
	if err != nil {
		return foundAction{}, err
	}
	message, command := key.Kept()
	found, err := compare.Decode(key.Digest.Function(), message, command)
	return foundAction{found, key.Digest.String(), explain.Made{Tree: inputs}}, err
}
