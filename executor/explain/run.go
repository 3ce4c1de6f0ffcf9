package explain

import (
	"context"
	"fmt"
	"strings"

	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/action/compare"
)

// Run says why a command has to run, in lines for people: why its kept result was
// not used, or the first component of its key that differs from the last run of
// the same command, which line names. It fails only when ctx ends.
func (p Past) Run(ctx context.Context, missed executor.Missed, line string) ([]string, error) {
	if missed.Reason != results.Absent {
		return []string{reason(missed.Miss)}, nil
	}
	last, ok := p.Kept.LoadLast(line)
	key := missed.Key.Digest
	switch {
	case !ok:
		return []string{"no kept result has its key, and no earlier run of this command in this root is known"}, nil
	case last.Key == key.String() && last.NotKept != "":
		return []string{"the key is that of the last run, whose result was not kept: " + last.NotKept}, nil
	case last.Key == key.String():
		return []string{"the key is that of the last run, whose result is no longer in the store: it was removed or pruned"}, nil
	}
	before, err := compare.Decode(key.Function(), last.Action, last.Command)
	if err != nil {
		return []string{"the last run of this command was of another version of larder, or its record is damaged"}, nil
	}
	message, command := missed.Key.Kept()
	after, err := compare.Decode(key.Function(), message, command)
	if err != nil {
		return nil, err
	}
	p.Trees = Made{missed.Inputs}.Over(p.Trees)
	differences, err := p.Differences(ctx, before, after, FewPaths())
	return Lines(last.Key, key.String(), differences), err
}

// FewPaths bounds what people are told of two trees.
func FewPaths() compare.Bounds { return compare.Bounds{Shown: 20, Counted: 100_000} }

// Made is a tree that was just made, so that the store need not have it; Tree may
// be nil.
type Made struct{ Tree *digest.Tree }

// Over reads from the tree, and what is not in it from below.
func (m Made) Over(below digest.Source) digest.Source {
	if m.Tree == nil {
		return below
	}
	return both{m.Tree, below}
}

type both struct{ made, below digest.Source }

// Blob returns the content that d names.
func (b both) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	if data, err := b.made.Blob(ctx, d); err == nil {
		return data, nil
	}
	return b.below.Blob(ctx, d)
}

// reason says why a kept result was not used, with what to do about it.
func reason(miss results.Miss) string {
	switch miss.Reason {
	case results.NotAsked:
		return "kept results are off (--results off, --no-cache, LARDER_RESULTS or larder.toml)"
	case results.NotRead:
		return "kept results are not read (--results write)"
	case results.LostBlob:
		return fmt.Sprintf("it has a kept result, but %s, which that needs, is gone from the store; this run makes it anew", miss.What)
	case results.Changed:
		return fmt.Sprintf("it has a kept result, but %s, which --observe names, is not as it was then", miss.What)
	case results.NeedsInput:
		return "it has a kept result, but one that was made without standard input; </dev/null gives it none"
	}
	return miss.Short()
}

// Lines says what the first difference between two actions is, and what there is
// besides.
func Lines(before, after string, differences []compare.Difference) []string {
	if len(differences) == 0 {
		return []string{"its key is another, and nothing is known (any more) of what the one before was made of"}
	}
	lines := differences[0].Lines()
	lines[0] = "since the last time, " + lines[0]
	var others []string
	for _, d := range differences[1:] {
		others = append(others, d.Short())
	}
	const most = 5
	if n := len(others); n > most {
		others = append(others[:most], fmt.Sprintf("%d more", n-most))
	}
	if len(others) > 0 {
		lines = append(lines, "  besides: "+strings.Join(others, "; "))
	}
	return append(lines, fmt.Sprintf("  larder explain %s %s shows all", before, after))
}
