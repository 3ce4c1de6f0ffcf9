package main

import (
	"fmt"

	"larder/executor/action"
)

// writeDown logs the end of a run. That the journal cannot be written is worth a
// warning when it is the only one: a full disk is one thing to be told of.
func (w *workshop) writeDown(result *action.Result, problem error) {
	facts := []any{
		"status", string(result.Status), "exit_code", result.ExitCode, "cached", result.Cached,
		"key", result.Key, "ms", result.TimingsMS[action.StepTotal],
	}
	if problem != nil {
		w.journal.Warn("run-ended", append(facts, "problem", problem)...)
	} else {
		w.journal.Log("run-ended", facts...)
	}
	if problem := w.journal.Problem(); problem != nil && len(result.Warnings) == 0 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("what happened was not written down, nothing else is wrong: %v", problem))
	}
}
