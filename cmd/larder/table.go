package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"
)

// table prints rows for people or for programs.
type table struct {
	heading []string
	rows    [][]any
}

func (t *table) add(cells ...any) { t.rows = append(t.rows, cells) }

// size is a number of bytes: "1.2 MiB" for people, the number for programs.
type size int64

// when is a time: "3 hours ago" for people, RFC 3339 for programs.
type when time.Time

// span is a number of seconds: "3 hours" for people, the number for programs.
type span int64

// ratio is a part of a whole: "67 %" for people, 0.667 for programs.
type ratio float64

// print writes the rows in the form of --format; value is the JSON form.
func (t *table) print(command *cli.Command, value any) error {
	switch format := command.String("format"); format {
	case "json":
		return printJSON(value)
	case "tab":
		return t.printTab()
	case "human", "":
		return t.printHuman()
	default:
		return errFormat(format)
	}
}

func (t *table) printTab() error {
	buffer := bufio.NewWriter(os.Stdout)
	for _, row := range t.rows {
		buffer.WriteString(strings.Join(texts(row, forPrograms), "\t") + "\n")
	}
	return buffer.Flush()
}

func (t *table) printHuman() error {
	// The tabwriter writes each cell by itself.
	buffer := bufio.NewWriter(os.Stdout)
	w := tabwriter.NewWriter(buffer, 0, 8, 2, ' ', 0)
	if len(t.heading) > 0 {
		fmt.Fprintln(w, strings.Join(t.heading, "\t"))
	}
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(texts(row, forPeople), "\t"))
	}
	return errors.Join(w.Flush(), buffer.Flush())
}

func texts(row []any, text func(any) string) []string {
	cells := make([]string, len(row))
	for i, cell := range row {
		cells[i] = text(cell)
	}
	return cells
}

func forPeople(cell any) string {
	switch v := cell.(type) {
	case size:
		return binarySize(int64(v))
	case when:
		if time.Time(v).IsZero() {
			return "never"
		}
		return age(time.Since(time.Time(v)))
	case span:
		if v <= 0 {
			return "0 seconds"
		}
		return strings.TrimSuffix(age(time.Duration(v)*time.Second), " ago")
	case ratio:
		return fmt.Sprintf("%.0f %%", 100*float64(v))
	}
	return fmt.Sprint(cell)
}

func forPrograms(cell any) string {
	switch v := cell.(type) {
	case size:
		return fmt.Sprint(int64(v))
	case when:
		return time.Time(v).UTC().Format(time.RFC3339)
	case ratio:
		return fmt.Sprintf("%.3f", float64(v))
	}
	return strings.NewReplacer("\t", " ", "\n", " ").Replace(fmt.Sprint(cell))
}

// binarySize writes a number of bytes in the largest unit that keeps it above
// one. A library for this was left out: the ones there are cost every start of
// larder 0.3 ms, a tenth of what it takes to say its version.
func binarySize(bytes int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(max(bytes, 0)), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit > 0 && value < 10 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// age says how long ago something was, in its largest unit.
func age(since time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "year"}, {30 * day, "month"}, {7 * day, "week"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := since / unit.length; {
		case n == 1:
			return "1 " + unit.name + " ago"
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "now"
}

// yesNo is an answer in words.
type yesNo bool

func (is yesNo) String() string {
	if is {
		return "yes"
	}
	return "no"
}
