package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"larder/digest"
	"larder/executor/action"
	"larder/executor/plan"
)

// buildRecord is one line of larder build --json: the result record of an action,
// with its name and what became of it. Of an action that was not tried, only
// those. Merged is of what the action works on, where that is of several.
type buildRecord struct {
	Name    string      `json:"name"`
	State   plan.State  `json:"state"`
	Why     string      `json:"why,omitempty"`
	Problem string      `json:"problem,omitempty"`
	Merged  *mergeFacts `json:"merged,omitempty"`
	*action.Result
}

// records writes them as actions end. A nil *records writes nothing.
type records struct {
	file *os.File
	to   *bufio.Writer
	err  error // the first
}

// newRecords begins the file at path, or standard output for "-"; without a path
// there are none.
func newRecords(path string) (*records, error) {
	if path == "" {
		return nil, nil
	}
	file := os.Stdout
	if path != "-" {
		var err error
		if file, err = os.Create(path); err != nil {
			return nil, fmt.Errorf("write the records: %w", err)
		}
	}
	return &records{file: file, to: bufio.NewWriter(file)}, nil
}

// write writes one line, whole.
func (r *records) write(name, why string, report plan.Report) {
	if r == nil {
		return
	}
	record := buildRecord{Name: name, State: report.State, Why: why, Result: report.Result}
	if report.Err != nil {
		record.Problem = report.Err.Error()
	}
	if !report.Merged.Root.IsZero() || errors.Is(report.Err, digest.ErrCollision) {
		facts := factsOf(report.Merged, report.Err)
		record.Merged = &facts
	}
	if report.State == plan.Merged {
		record.Result = action.NewResult()
		record.Status, record.OutputDigest = action.StatusOK, report.Output.String()
		record.DigestFunction = report.Output.Function().String()
	}
	data, err := json.Marshal(record)
	if err == nil {
		_, err = r.to.Write(append(data, '\n'))
	}
	if err == nil {
		err = r.to.Flush() // a reader may follow
	}
	if r.err == nil {
		r.err = err
	}
}

// close ends the file, and says what went wrong with it.
func (r *records) close() error {
	if r == nil {
		return nil
	}
	err := r.err
	if r.file != os.Stdout {
		err = errors.Join(err, r.file.Close())
	}
	if err != nil {
		return fmt.Errorf("write the records: %w", err)
	}
	return nil
}
