package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/journal"
)

// countChange is how one counter moved between two looks.
type countChange struct {
	Kind       journal.Kind    `json:"kind"`
	Name       string          `json:"name"`
	Counter    journal.Counter `json:"counter"`
	Difference int64           `json:"difference"`
	PerSecond  float64         `json:"per_second"`
}

// pollStats shows what changes from one look to the next.
func pollStats(ctx context.Context, command *cli.Command, shop *workshop) error {
	interval, err := parseInterval(command.String("interval"))
	if err != nil {
		return err
	}
	if format := command.String("format"); !slices.Contains([]string{"human", "tab", "json"}, format) {
		return errFormat(format)
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	before, err := shop.journal.Tallies()
	last := time.Now()
	for err == nil && pause(ctx, interval) {
		var after []journal.Tally
		if after, err = shop.journal.Tallies(); err != nil {
			return err
		}
		now := time.Now()
		err = printChanges(command.String("format"), now, tallyChanges(before, withLocal(after), now.Sub(last)))
		before, last = after, now
	}
	return err
}

// parseInterval reads seconds, or any span of time.
func parseInterval(text string) (time.Duration, error) {
	const least = 10 * time.Millisecond
	given := text
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	interval, err := parseAge(text)
	if err != nil {
		return 0, fmt.Errorf("--interval: %w", err)
	}
	if interval <= 0 {
		return 0, fmt.Errorf("--interval %s: give a span of time above zero", given)
	}
	return max(interval, least), nil
}

// untilInterrupted ends the context by the signals that ask for an end.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// pause waits; false says that the context ended.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tallyChanges compares two looks. Hits and misses are always in it, of the rest
// what moved. A tally that was zeroed in between counts from zero.
func tallyChanges(before, after []journal.Tally, between time.Duration) []countChange {
	earlier := map[journal.Subject]journal.Tally{}
	for _, tally := range before {
		earlier[tally.Subject] = tally
	}
	changes := []countChange{}
	for _, tally := range after {
		from := earlier[tally.Subject]
		if from.Since != tally.Since {
			from.Counts = nil
		}
		counters := append([]journal.Counter{journal.Hits, journal.Misses}, cacheCounters()...)
		for i, counter := range counters {
			moved := tally.Counts[counter] - from.Counts[counter]
			if moved != 0 || tally.Kind == journal.KindResults && i < 2 {
				changes = append(changes, countChange{tally.Kind, tally.Name, counter, moved, float64(moved) / between.Seconds()})
			}
		}
	}
	return changes
}

func printChanges(format string, now time.Time, changes []countChange) error {
	switch format {
	case "json":
		data, err := json.Marshal(struct {
			Time    time.Time     `json:"time"`
			Changes []countChange `json:"changes"`
		}{now.UTC(), changes})
		if err != nil {
			return fmt.Errorf("show the changes: %w", err)
		}
		_, err = fmt.Println(string(data))
		return err
	case "tab":
		for _, c := range changes {
			fields := []any{when(now), c.Kind, c.Name, c.Counter, c.Difference, fmt.Sprintf("%.3f", c.PerSecond)}
			if _, err := fmt.Println(strings.Join(texts(fields, forPrograms), "\t")); err != nil {
				return err
			}
		}
		return nil
	case "human":
		_, err := os.Stdout.WriteString(changeLines(now, changes))
		return err
	}
	return errFormat(format)
}

// changeLines writes a line for each subject.
func changeLines(now time.Time, changes []countChange) string {
	var text strings.Builder
	subject := ""
	for _, c := range changes {
		if next := string(c.Kind) + " " + c.Name; next != subject {
			if subject != "" {
				text.WriteByte('\n')
			}
			subject = next
			fmt.Fprintf(&text, "%s  %s", now.Format(time.TimeOnly), subject)
		}
		fmt.Fprintf(&text, "  %s %+d (%.1f/s)", c.Counter, c.Difference, c.PerSecond)
	}
	if subject != "" {
		text.WriteByte('\n')
	}
	return text.String()
}
