package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

func cacheLogsCommand() *cli.Command {
	return &cli.Command{
		Name: "logs", Usage: "show what happened, one line an event",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "wait for more, until interrupted; without --since, only what comes from now on"},
			&cli.StringFlag{Name: "since", Usage: "begin so long ago (2h, 7d), or at a `TIME` such as 2026-11-21 or 2026-11-21T10:00:00Z"},
			formatFlag(),
		},
		Action: cacheLogs,
	}
}

// logInterval is how often a log is looked at that is followed.
const logInterval = 200 * time.Millisecond

func cacheLogs(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	follow, now := command.Bool("follow"), time.Now()
	since, err := parseSince(command.String("since"), now)
	if err != nil {
		return err
	}
	if since.IsZero() && follow {
		since = now
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	show, err := logWriter(command.String("format"))
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	follower := shop.journal.Follow(since)
	for {
		if err := follower.Next(show); err != nil {
			return err
		}
		if !follow || !pause(ctx, logInterval) {
			return nil
		}
	}
}

// parseSince reads --since; without it the time is zero.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := parseAge(text); err == nil {
		return now.Add(-age), nil
	}
	for _, form := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %s: write how long ago (2h, 7d), or a time (2026-11-21, 2026-11-21T10:00:00Z)", text)
}

// logWriter shows one line of the log in the form of --format.
func logWriter(format string) (func(line []byte) error, error) {
	switch format {
	case "json":
		return func(line []byte) error { return writeLine(string(line)) }, nil
	case "tab":
		return func(line []byte) error { return writeEvent(line, "\t", time.RFC3339Nano, time.UTC) }, nil
	case "human":
		return func(line []byte) error { return writeEvent(line, "  ", time.DateTime, time.Local) }, nil
	}
	return nil, errFormat(format)
}

func errFormat(format string) error { return fmt.Errorf("--format %s: use human, tab or json", format) }

func writeLine(text string) error {
	if _, err := os.Stdout.WriteString(text + "\n"); err != nil {
		return fmt.Errorf("show the log: %w", err)
	}
	return nil
}

// writeEvent writes time, level, event and what belongs to it as NAME=VALUE. A
// line that is no JSON object is left out.
func writeEvent(line []byte, between, clock string, zone *time.Location) error {
	fields, err := orderedFields(line)
	if err != nil {
		return nil
	}
	var cells []string
	var rest []string
	for _, field := range fields {
		switch field.name {
		case "time":
			cells = append(cells, localTime(field.value, clock, zone))
		case "level", "event":
			cells = append(cells, fmt.Sprintf("%-4s", field.value))
		default:
			rest = append(rest, field.name+"="+quoted(field.value))
		}
	}
	return writeLine(strings.Join(append(cells, rest...), between))
}

func localTime(text, clock string, zone *time.Location) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return at.In(zone).Format(clock)
}

func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \t\n\"=") || strconv.Quote(value) != `"`+value+`"` {
		return strconv.Quote(value)
	}
	return value
}

type logField struct{ name, value string }

// orderedFields reads the members of a JSON object in their order, which says
// more than that of the alphabet.
func orderedFields(line []byte) ([]logField, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	var fields []logField
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		text := string(value)
		if unquoted := ""; json.Unmarshal(value, &unquoted) == nil {
			text = unquoted
		}
		fields = append(fields, logField{fmt.Sprint(name), text})
	}
	return fields, nil
}
