package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/upkeep"
)

// pruneOutput shows what prune and clean remove, in the form of --format.
type pruneOutput struct {
	out    outlet
	format string
	only   bool // says what would be removed
	items  []pruneRow
	sums   map[upkeep.Kind]*pruneSum
}

// pruneSum is what goes of a kind whose names say nothing to people.
type pruneSum struct {
	count          int
	bytes          int64
	oldest, newest time.Time // when they were last used
}

func (s *pruneSum) add(item upkeep.Item) {
	if s.count == 0 || item.Used.Before(s.oldest) {
		s.oldest = item.Used
	}
	if item.Used.After(s.newest) {
		s.newest = item.Used
	}
	s.count++
	s.bytes += item.Bytes
}

// text says how many there are, of which kind, and when they were last used.
func (s *pruneSum) text(kind upkeep.Kind) string {
	name, used := string(kind), lastUsed(s.oldest)
	if s.count == 1 {
		name = kind.One()
	}
	if newest := lastUsed(s.newest); newest != used {
		used += " to " + newest
	}
	return fmt.Sprintf("%d %s (%s, last used %s)", s.count, name, binarySize(s.bytes), used)
}

// isNamed reports whether people know things of a kind by their names. Others are
// named by hashes, and there are thousands of them.
func isNamed(kind upkeep.Kind) bool {
	switch kind {
	case upkeep.Caches, upkeep.Payloads, upkeep.Kept, upkeep.OldFormats:
		return true
	}
	return false
}

// pruneRow is something that goes, in the output of prune and clean.
type pruneRow struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// pruneReport is the output of prune and clean for programs.
type pruneReport struct {
	DryRun  bool       `json:"dry_run"`
	Removed []pruneRow `json:"removed"`
	Freed   int64      `json:"freed_bytes"`
	Size    int64      `json:"size_bytes"` // of the store before
	InUse   int        `json:"in_use"`     // items that had to stay
	Stopped bool       `json:"stopped"`    // the time was over before all was looked at
}

func newPruneOutput(command *cli.Command) (*pruneOutput, error) {
	format, err := knownFormat(command)
	return &pruneOutput{out: outlet{to: os.Stdout}, format: format, only: command.Bool("dry-run"), items: []pruneRow{}, sums: map[upkeep.Kind]*pruneSum{}}, err
}

// knownFormat reads --format where the work begins before anything is printed.
func knownFormat(command *cli.Command) (string, error) {
	format := command.String("format")
	if !slices.Contains([]string{"human", "tab", "json"}, format) {
		return "", errFormat(format)
	}
	return format, nil
}

// item shows one thing as it goes. JSON is one value, so it comes at the end.
func (o *pruneOutput) item(item upkeep.Item) {
	switch o.format {
	case "json":
		o.items = append(o.items, pruneRow{item.Kind.One(), item.Name, item.Bytes, item.Used})
	case "tab":
		o.out.printf("%s\n", strings.Join(texts([]any{item.Kind.One(), item.Name, size(item.Bytes), when(item.Used)}, forPrograms), "\t"))
	default:
		if isNamed(item.Kind) {
			o.out.printf("%s %s: %s (%s, last used %s)\n", o.verb(), item.Kind.One(), item.Name, binarySize(item.Bytes), lastUsed(item.Used))
			return
		}
		if o.sums[item.Kind] == nil {
			o.sums[item.Kind] = new(pruneSum)
		}
		o.sums[item.Kind].add(item)
	}
}

func (o *pruneOutput) verb() string {
	if o.only {
		return "would remove"
	}
	return "removed"
}

// end shows the sums. A table for programs has none.
func (o *pruneOutput) end(report upkeep.Report) error {
	switch o.format {
	case "json":
		return printJSON(pruneReport{o.only, o.items, report.Freed, report.Size, report.InUse, report.Stopped})
	case "tab":
		return o.out.err()
	}
	for _, kind := range slices.Sorted(maps.Keys(o.sums)) {
		o.out.printf("%s %s\n", o.verb(), o.sums[kind].text(kind))
	}
	sum := "freed"
	if o.only {
		sum = "would free"
	}
	o.out.printf("%s %s of %s\n", sum, binarySize(report.Freed), binarySize(report.Size))
	if report.InUse > 0 {
		o.out.printf("%d more are in use and stay\n", report.InUse)
	}
	if report.Stopped {
		o.out.printf("the time was over before all was looked at; run it again to go on\n")
	}
	return o.out.err()
}

func lastUsed(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return age(time.Since(at))
}
