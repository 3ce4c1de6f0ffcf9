package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/journal"
	"larder/caches/upkeep"
	"larder/executor/local"
)

func cacheStatsCommand() *cli.Command {
	return &cli.Command{
		Name: "stats", Usage: "show what was counted: of results and of each cache",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "poll", Usage: "show what changes, until interrupted"},
			&cli.StringFlag{Name: "interval", Value: "1", Usage: "`SECONDS` between two looks with --poll"},
			&cli.BoolFlag{Name: "zero", Usage: "set all counts to zero"},
			formatFlag(),
		},
		Action: cacheStats,
	}
}

func formatFlag() cli.Flag {
	return &cli.StringFlag{Name: "format", Value: "human", Usage: "`human`, tab or json"}
}

// cacheCounters are the counters of a cache in the order of the table.
func cacheCounters() []journal.Counter {
	return []journal.Counter{
		journal.Checkouts, journal.Publishes, journal.Merges, journal.Replacements, journal.Unchanged, journal.Discards,
		journal.Failures, journal.Violations, journal.Duplicates, journal.Conflicts, journal.Bytes,
	}
}

// resultsStats is a place where results are kept, in the output of stats.
type resultsStats struct {
	Name          string    `json:"name"`
	Since         time.Time `json:"since,omitzero"` // nothing was counted before
	UptimeSeconds int64     `json:"uptime_seconds"`
	Hits          int64     `json:"hits"`
	Misses        int64     `json:"misses"`
	HitRatio      float64   `json:"hit_ratio"`
	MemoryBytes   int64     `json:"memory_bytes"`
}

// storeStats is the output of stats.
type storeStats struct {
	Results []resultsStats   `json:"results"`
	Caches  []map[string]any `json:"caches"`
}

func cacheStats(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	zero := command.Bool("zero")
	if zero {
		if err := shop.journal.Zero(); err != nil {
			return fmt.Errorf("set the counts to zero: %w", err)
		}
	}
	switch {
	case command.Bool("poll"):
		return pollStats(ctx, command, shop)
	case zero && command.String("format") == "human":
		_, err := fmt.Println("all counts are zero")
		return err
	}
	return shop.printStats(command)
}

func (w *workshop) printStats(command *cli.Command) error {
	tallies, err := w.journal.Tallies()
	if err != nil {
		return err
	}
	results := table{heading: []string{"RESULTS", "UPTIME", "HITS", "MISSES", "HIT RATIO", "MEMORY"}}
	caches := table{heading: statsHeading()}
	described := storeStats{Results: []resultsStats{}, Caches: []map[string]any{}}
	for _, tally := range withLocal(tallies) {
		switch tally.Kind {
		case journal.KindResults:
			one := w.describeResults(tally)
			described.Results = append(described.Results, one)
			results.add(one.Name, span(one.UptimeSeconds), one.Hits, one.Misses, ratio(one.HitRatio), size(one.MemoryBytes))
		case journal.KindCache:
			described.Caches = append(described.Caches, describeTally(tally))
			caches.add(tallyCells(tally)...)
		}
	}
	switch command.String("format") {
	case "tab":
		results.label("results")
		caches.label("cache")
	case "json":
		return printJSON(described)
	}
	if err := results.print(command, nil); err != nil {
		return err
	}
	if command.String("format") == "human" {
		if _, err := fmt.Println(); err != nil {
			return err
		}
	}
	return caches.print(command, nil)
}

// label puts a word before each row, for programs that read several tables.
func (t *table) label(word string) {
	for i, row := range t.rows {
		t.rows[i] = append([]any{word}, row...)
	}
}

// withLocal puts the local results into the list also when nobody has asked
// them yet.
func withLocal(tallies []journal.Tally) []journal.Tally {
	subject := journal.ResultsSubject(local.ResultsName)
	for _, tally := range tallies {
		if tally.Subject == subject {
			return tallies
		}
	}
	return append(tallies, journal.Tally{Subject: subject, Counts: journal.Counts{}})
}

func (w *workshop) describeResults(tally journal.Tally) resultsStats {
	one := resultsStats{Name: tally.Name, Since: tally.Since, Hits: tally.Counts[journal.Hits], Misses: tally.Counts[journal.Misses]}
	if !tally.Since.IsZero() {
		one.UptimeSeconds = int64(time.Since(tally.Since).Seconds())
	}
	if asked := one.Hits + one.Misses; asked > 0 {
		one.HitRatio = float64(one.Hits) / float64(asked)
	}
	if tally.Subject == journal.ResultsSubject(local.ResultsName) {
		one.MemoryBytes = upkeep.Measure(w.layout.Results()).Bytes
	}
	return one
}

func statsHeading() []string {
	heading := []string{"CACHE", "SINCE"}
	for _, counter := range cacheCounters() {
		heading = append(heading, strings.ToUpper(string(counter)))
	}
	return heading
}

func tallyCells(tally journal.Tally) []any {
	cells := []any{tally.Name, when(tally.Since)}
	for _, counter := range cacheCounters() {
		cells = append(cells, countCell(counter, tally.Counts[counter]))
	}
	return cells
}

func countCell(counter journal.Counter, n int64) any {
	if counter == journal.Bytes {
		return size(n)
	}
	return n
}

func describeTally(tally journal.Tally) map[string]any {
	described := map[string]any{"name": tally.Name, "id": tally.ID, "since": tally.Since}
	for _, counter := range cacheCounters() {
		described[string(counter)] = tally.Counts[counter]
	}
	return described
}
