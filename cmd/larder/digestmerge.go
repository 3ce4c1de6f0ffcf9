package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/cmd/larder/console"
	"larder/digest"
)

func mergeCommand() *cli.Command {
	var policies []digest.PathPolicy
	command := algebraCommand("merge", "print the tree of all that several trees hold", "[NAME=]DIGEST[:PATH]...", func(ctx context.Context, command *cli.Command) error {
		return digestMerge(ctx, command, policies)
	})
	command.Description = "What is the same in several trees is there once; where they differ, it is an error that lists every path,\n" +
		"with who has what there. A GLOB, in gitignore syntax, chooses instead; the last one that matches a path decides."
	command.DisableSliceFlagSeparator = true
	command.Flags = append(command.Flags,
		policyFlag(&policies, digest.PolicyTolerate, "where trees differ at `GLOB`, keep what the first of them has, and list the path"),
		policyFlag(&policies, digest.PolicyFirst, "where trees differ at `GLOB`, keep what the first of them has"),
		policyFlag(&policies, digest.PolicyLast, "where trees differ at `GLOB`, keep what the last of them has"),
		policyFlag(&policies, digest.PolicyError, "where trees differ at `GLOB`, it is an error after all"),
	)
	return command
}

// policyValue adds what one of the flags of policies says to the list of all,
// since their order counts.
type policyValue struct {
	policy digest.Policy
	all    *[]digest.PathPolicy
}

// Set, String and Get are for the parser.
func (v policyValue) Set(glob string) error {
	*v.all = append(*v.all, digest.PathPolicy{Pattern: glob, Policy: v.policy})
	return nil
}

func (v policyValue) String() string { return "" }

func (v policyValue) Get() any { return "" }

func policyFlag(all *[]digest.PathPolicy, policy digest.Policy, usage string) cli.Flag {
	return &cli.GenericFlag{Name: policy.String(), Usage: usage, Value: policyValue{policy, all}}
}

func digestMerge(ctx context.Context, command *cli.Command, policies []digest.PathPolicy) error {
	if err := needArgs(command, 1, -1); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	producers, err := shop.producers(ctx, command.Args().Slice())
	if err != nil {
		return err
	}
	merged, err := digest.Merge(ctx, shop.blobs, shop.blobs.Add, producers, policies)
	if command.Bool("json") {
		return printMergeRecord(shop, merged, err)
	}
	if errors.Is(err, digest.ErrCollision) {
		return complainOfCollisions(err)
	}
	if err != nil {
		return err
	}
	for text := range toleratedTexts(merged.Tolerated) {
		tell("%s", text)
	}
	_, err = fmt.Println(merged.Root)
	return err
}

// complainOfCollisions lists them all, however many there are.
func complainOfCollisions(err error) error {
	out := bufio.NewWriter(os.Stderr)
	fmt.Fprint(out, "larder: ")
	for text := range errorTexts(err) {
		fmt.Fprintln(out, console.CleanLines(text))
	}
	fmt.Fprintln(out, "let the first of them win with --tolerate GLOB, or see larder digest merge --help")
	out.Flush()
	return exitCode(codeFailed)
}

// mergeAnswer is what merge --json prints, after a collision too: the digest is
// empty then.
type mergeAnswer struct {
	treeAnswer
	mergeFacts
}

func printMergeRecord(shop *workshop, merged digest.Merged, err error) error {
	var refused *digest.CollisionError
	collides := errors.As(err, &refused)
	if err != nil && !collides {
		return err
	}
	if printed := printJSON(mergeAnswer{treeAnswer{merged.Root.String(), shop.blobs.Function().String()}, factsOf(merged, err)}); printed != nil {
		return printed
	}
	if collides {
		return fmt.Errorf("merge: paths that collide: %d; the record lists them", len(refused.Collisions))
	}
	return nil
}

// producers reads the arguments of merge.
func (w *workshop) producers(ctx context.Context, args []string) ([]digest.Producer, error) {
	var producers []digest.Producer
	for _, text := range args {
		name, given := cutName(text)
		tree, err := w.givenTree(ctx, given)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", digest.Quote(name), err)
		}
		producers = append(producers, digest.Producer{Name: name, Root: tree})
	}
	return producers, nil
}

// cutName splits NAME=DIGEST:PATH. Both names and paths may hold an equals sign,
// so what counts is where a digest begins. Without a name the text is its own.
func cutName(text string) (name, given string) {
	for i := range len(text) {
		if text[i] != '=' || !startsWithDigest(text[i+1:]) {
			continue
		}
		if i == 0 { // a name that is empty would say nothing
			return text[1:], text[1:]
		}
		return text[:i], text[i+1:]
	}
	return text, text
}

// startsWithDigest reports whether the text is a digest, or one with a colon after
// it. By hand, since with regexp come tables that every start would lay out.
func startsWithDigest(text string) bool {
	const hash = 64 // hexadecimal digits
	if len(text) <= hash || text[hash] != '/' || strings.Trim(text[:hash], "0123456789abcdef") != "" {
		return false
	}
	size := text[hash+1:]
	rest := strings.TrimLeft(size, "0123456789")
	return len(rest) < len(size) && (rest == "" || rest[0] == ':')
}
