package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/upkeep"
)

// pruneOutput shows what prune and clean remove, in the form of --format.
type pruneOutput struct {
	format string
	only   bool // says what would be removed
	items  []pruneRow
}

// pruneRow is something that goes, in the output of prune and clean.
type pruneRow struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	LastUsed time.Time `json:"last_used"`
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

func newPruneOutput(command *cli.Command, only bool) (*pruneOutput, error) {
	format, err := knownFormat(command)
	return &pruneOutput{format: format, only: only, items: []pruneRow{}}, err
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
		fmt.Println(strings.Join(texts([]any{item.Kind.One(), item.Name, size(item.Bytes), when(item.Used)}, forPrograms), "\t"))
	default:
		verb := "removed"
		if o.only {
			verb = "would remove"
		}
		fmt.Printf("%s %s: %s (%s, last used %s)\n", verb, item.Kind.One(), item.Name, binarySize(item.Bytes), lastUsed(item.Used))
	}
}

// end shows the sums. A table for programs has none.
func (o *pruneOutput) end(report upkeep.Report) error {
	switch o.format {
	case "json":
		return printJSON(pruneReport{o.only, o.items, report.Freed, report.Size, report.InUse, report.Stopped})
	case "tab":
		return nil
	}
	sum := "freed"
	if o.only {
		sum = "would free"
	}
	fmt.Printf("%s %s of %s%s\n", sum, binarySize(report.Freed), binarySize(report.Size), counted(report.Removed))
	if report.InUse > 0 {
		fmt.Printf("%d more are in use and stay\n", report.InUse)
	}
	if report.Stopped {
		fmt.Println("the time was over before all was looked at; run it again to go on")
	}
	return nil
}

func lastUsed(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return age(time.Since(at))
}

// counted says how many of each kind went.
func counted(removed map[upkeep.Kind]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(removed)) {
		parts = append(parts, fmt.Sprintf("%d of %s", removed[kind], kind))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
