package main

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"larder/executor/action"
)

// filter is one condition on a row.
type filter func(cacheRow) bool

type filters []filter

// pass reports whether every condition holds.
func (f filters) pass(row cacheRow) bool {
	for _, holds := range f {
		if !holds(row) {
			return false
		}
	}
	return true
}

func parseFilters(given []string, now time.Time) (filters, error) {
	var parsed filters
	for _, text := range given {
		one, err := parseFilter(text, now)
		if err != nil {
			return nil, fmt.Errorf("--filter %s: %w", text, err)
		}
		parsed = append(parsed, one)
	}
	return parsed, nil
}

// parseFilter reads COLUMN, one of = != < >, and what the column is compared
// with: a glob for = and !=, and for < and > a number, a size, or how long ago.
func parseFilter(text string, now time.Time) (filter, error) {
	at := strings.IndexAny(text, "=!<>")
	if at < 0 {
		return nil, fmt.Errorf("write COLUMN=GLOB, or with !=, > or <; the columns are %s", strings.Join(columnNames(), ", "))
	}
	column, err := columnNamed(strings.TrimSpace(text[:at]))
	if err != nil {
		return nil, err
	}
	sign, value := text[at], strings.TrimSpace(text[at+1:])
	if sign == '!' {
		if !strings.HasPrefix(value, "=") {
			return nil, fmt.Errorf("write %s!=GLOB", column.name)
		}
		value = strings.TrimSpace(value[1:])
	}
	if sign == '=' || sign == '!' {
		matches, err := globFilter(column, value)
		if err != nil || sign == '=' {
			return matches, err
		}
		return func(row cacheRow) bool { return !matches(row) }, nil
	}
	order, err := comparison(column, value, now)
	if err != nil {
		return nil, err
	}
	wanted := map[byte]int{'<': -1, '>': 1}[sign]
	return func(row cacheRow) bool { return order(column.cell(row)) == wanted }, nil
}

// globFilter compares the text that programs see. A * matches any text, a slash
// too, which path.Match by itself would not.
func globFilter(column listColumn, glob string) (filter, error) {
	flat := func(text string) string { return strings.ReplaceAll(text, "/", "\x00") }
	if _, err := path.Match(flat(glob), ""); err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", glob, err)
	}
	return func(row cacheRow) bool {
		matches, _ := path.Match(flat(glob), flat(forPrograms(column.cell(row))))
		return matches
	}, nil
}

// comparison reads a value as the cells of a column are, and returns how a cell
// compares with it. A time is larger the longer it is ago.
func comparison(column listColumn, value string, now time.Time) (func(cell any) int, error) {
	switch column.cell(cacheRow{}).(type) {
	case when:
		age, err := parseAge(value)
		return func(cell any) int { return cmp.Compare(now.Sub(time.Time(cell.(when))), age) }, err
	case size:
		bytes, err := action.ParseSize(value)
		return func(cell any) int { return cmp.Compare(int64(cell.(size)), bytes) }, err
	case int, int64:
		number, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", value)
		}
		return func(cell any) int {
			n, _ := strconv.ParseInt(fmt.Sprint(cell), 10, 64)
			return cmp.Compare(n, number)
		}, nil
	}
	return nil, fmt.Errorf("%s is text; compare it with = or !=", column.name)
}
