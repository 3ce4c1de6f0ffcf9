package main

import (
	"errors"
	"fmt"
	"syscall"

	"larder/executor/action"
)

// writeDown logs the end of a run. That the journal cannot be written is worth a
// warning only when the disk is full and nothing else has said so: who may only
// read a store knows that.
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
	full := w.journal.Problem()
	if len(result.Warnings) == 0 && (errors.Is(full, syscall.ENOSPC) || errors.Is(full, syscall.EDQUOT)) {
		result.Warnings = append(result.Warnings, fmt.Sprintf("what happened was not written down, nothing else is wrong: %v", full))
	}
}
