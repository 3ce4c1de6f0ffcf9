package executor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"larder/caches"
)

// Fault is one thing that the store could not do for a run: its disk is full,
// broken or closed to the user. It never fails the action. All faults of a run
// are one warning, as a disk that is full fails everywhere at once.
type Fault struct {
	What string // what became of it, such as "the result was not kept"
	Err  error
}

// warningOf makes one sentence of the faults: what became of what, the first
// cause, and what to do.
func warningOf(faults []Fault) string {
	var said []string
	for _, fault := range faults {
		if !slices.Contains(said, fault.What) {
			said = append(said, fault.What)
		}
	}
	return fmt.Sprintf("%s: %s; %s", strings.Join(said, ", and "), OneLine(faults[0].Err), caches.FaultAdvice(faults[0].Err))
}

// OneLine gives the text of an error for a warning, which is one line, also of
// errors that were joined.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// trouble notes what could not be done for the store's sake. What is no fault of
// a disk is a warning of its own.
func (r *run) trouble(what string, err error) {
	if caches.IsFault(err) || errors.Is(err, caches.ErrUnreadable) {
		r.faults = append(r.faults, Fault{what, err})
		return
	}
	r.warnings = append(r.warnings, what+": "+OneLine(err))
}
