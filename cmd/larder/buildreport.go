package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"larder/executor/action"
	"larder/executor/plan"
)

// done is told of each action when it has ended, or will not be run.
func (b *building) done(report plan.Report) {
	b.signals.remove(report.Node)
	b.count++
	b.display.progress.Done(report)
	var said map[string]any
	if result := report.Result; result != nil {
		result.ExitCode = exitCodeOf(result, report.Err)
		said = outcome(result)
		b.shop.writeDown(result, report.Err)
		b.noteUnkept(report)
		b.leaves = b.leaves || published(result) || report.State == plan.Ran && b.policy.Write
	}
	b.tracks[report.Node].end(report.Start, report.Duration, said)
	b.page.note(report, &b.spools[report.Node])
	why := b.why(report)
	record := func() { b.records.write(b.graph.Nodes[report.Node].Plan.Name, why, report) }
	switch {
	case b.isWorthALine(report):
		b.display.print(func() { b.tell(report, why); record() })
	case b.options.json == "-":
		b.display.print(record)
	default:
		record()
	}
}

// isWorthALine reports whether there is something to print that is to stay. On a
// terminal people have seen that an action ended; it is in the summary too.
func (b *building) isWorthALine(report plan.Report) bool {
	spool := &b.spools[report.Node]
	switch {
	case report.State == plan.Left:
		return false
	case b.display.live == nil, !report.State.IsDone(), b.options.explain && report.Missed.Reason != "":
		return true
	}
	return !spool.stdout.isEmpty() || !spool.stderr.isEmpty() || len(report.Merged.Tolerated) > 0 ||
		report.Result != nil && len(warningsOf(report.Result)) > 0
}

// tell prints what became of an action, all that it has said, and warnings.
func (b *building) tell(report plan.Report, why string) {
	name, colour := b.graph.Nodes[report.Node].Plan.Name, plainly
	if !report.State.IsDone() {
		colour = red
	}
	b.display.say(colour, "[%d/%d] %s: %s", b.count, len(b.order), name, b.describe(report, why))
	b.explain(report)
	b.tellCollisions(report)
	for text := range toleratedTexts(report.Merged.Tolerated) {
		b.display.say(plainly, "larder: %s: %s", name, text)
	}
	spool := &b.spools[report.Node]
	b.display.pour(name, &spool.stdout, os.Stdout)
	b.display.pour(name, &spool.stderr, os.Stderr)
	if report.Result == nil {
		return
	}
	for _, text := range warningsOf(report.Result) {
		b.display.say(yellow, "larder: %s: warning: %s", name, text)
	}
}

// tellCollisions prints those that kept larder from doing an action. What else did,
// describe has said.
func (b *building) tellCollisions(report plan.Report) {
	if report.State != plan.Broken {
		return
	}
	isTold := true // the first
	for text := range errorTexts(report.Err) {
		if !isTold {
			b.display.say(plainly, "%s", indented(text))
		}
		isTold = false
	}
}

// indented is text as it stands below a line on an action.
func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// why says why an action ran, or did not.
func (b *building) why(report plan.Report) string {
	switch {
	case report.State == plan.Skipped:
		return "it needs " + b.graph.Nodes[report.For].Plan.Name
	case report.Result != nil && report.Result.Cached == "no":
		b.reasons[report.Node] = b.history.Why(b.graph, report, b.look(shortly()))
		return b.reasons[report.Node]
	}
	return ""
}

// describe says in a few words what became of an action.
func (b *building) describe(report plan.Report, why string) string {
	switch report.State {
	case plan.Ran:
		return fmt.Sprintf("ran in %s (%s)", seconds(report.Duration), why)
	case plan.Failed:
		return fmt.Sprintf("%s, after %s", failureText(b.graph.Nodes[report.Node].Action, report.Result), seconds(report.Duration))
	case plan.Skipped:
		return "not run, since " + why
	case plan.Broken:
		for text := range errorTexts(report.Err) {
			return "larder could not do it: " + strings.TrimSpace(indented(text))
		}
	}
	return fmt.Sprintf("%s in %s", report.State, seconds(report.Duration))
}

// failureText says how an action failed.
func failureText(wanted *action.Action, result *action.Result) string {
	var text string
	switch {
	case result.Status == action.StatusTimeout:
		text = fmt.Sprintf("failed: it ran longer than %s and was ended", wanted.Timeout)
	case result.Status == action.StatusLimit:
		text = "failed: " + limitText(wanted, result.LimitsHit)
	case result.Status == action.StatusKilled && result.Signal != 0:
		text = fmt.Sprintf("failed: ended by signal %d (%s)", result.Signal, syscall.Signal(result.Signal))
	case result.Status == action.StatusKilled:
		text = "failed: it was interrupted"
	default:
		text = fmt.Sprintf("failed with exit code %d", result.ExitCode)
	}
	if result.Cached != "no" {
		text += " (a kept answer)"
	}
	return text
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
