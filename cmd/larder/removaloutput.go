package main

import (
	"os"
	"strings"
)

// removalRow is a cache or a payload in the output of remove.
type removalRow struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	ID    string `json:"id"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why,omitempty"` // it was kept

	text string // for people
}

// removalReport is the output of remove.
type removalReport struct {
	DryRun  bool         `json:"dry_run"`
	Removed []removalRow `json:"removed"`
	Kept    []removalRow `json:"kept"`
}

func (r *removalReport) removed(row cacheRow) {
	r.Removed = append(r.Removed, removalRow{row.Kind, row.Name, row.ID, row.Bytes, "", rowText(row)})
}

func (r *removalReport) kept(row cacheRow, why string) {
	r.Kept = append(r.Kept, removalRow{row.Kind, row.Name, row.ID, row.Bytes, why, rowText(row)})
}

// print shows the report in the form of --format.
func (r *removalReport) print(format string) error {
	if format == "json" {
		r.Removed, r.Kept = append([]removalRow{}, r.Removed...), append([]removalRow{}, r.Kept...)
		return printJSON(r)
	}
	out := outlet{to: os.Stdout}
	for _, row := range r.Removed {
		out.printf("%s\n", r.line(format, "removed", row))
	}
	for _, row := range r.Kept {
		out.printf("%s\n", r.line(format, "kept", row))
	}
	return out.err()
}

func (r *removalReport) line(format, verb string, row removalRow) string {
	if format == "tab" {
		return strings.Join(texts([]any{verb, row.Kind, row.Name, row.ID, size(row.Bytes), row.Why}, forPrograms), "\t")
	}
	more := ""
	if r.DryRun {
		verb = map[string]string{"removed": "would remove", "kept": "would keep"}[verb]
		more = ", " + binarySize(row.Bytes)
	}
	if row.Why != "" {
		more = ": " + row.Why
	}
	return verb + " " + row.text + more
}
