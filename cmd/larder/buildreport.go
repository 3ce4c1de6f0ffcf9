package main

import (
	"fmt"
	"os"
	"slices"
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
	var said map[string]any
	if result := report.Result; result != nil {
		result.ExitCode = exitCodeOf(result, report.Err)
		said = outcome(result)
	}
	b.tracks[report.Node].end(report.Start, report.Duration, said)
	name, why := b.graph.Nodes[report.Node].Plan.Name, b.why(report)
	if report.State != plan.Left {
		fmt.Fprintf(os.Stderr, "[%d/%d] %s: %s\n", b.count, len(b.order), name, b.describe(report, why))
	}
	b.explain(report)
	warnOfTolerated(report.Merged.Tolerated)
	spool := &b.spools[report.Node]
	spool.stdout.empty(os.Stdout)
	spool.stderr.empty(os.Stderr)
	if report.Result != nil {
		b.shop.writeDown(report.Result, report.Err)
		b.noteUnkept(report)
		b.leaves = b.leaves || published(report.Result) || report.State == plan.Ran && b.policy.Write
		reportWarnings(report.Result)
	}
	b.records.write(name, why, report)
}

// why says why an action ran, or did not.
func (b *building) why(report plan.Report) string {
	switch {
	case report.State == plan.Skipped:
		return "it needs " + b.graph.Nodes[report.For].Plan.Name
	case report.Result != nil && report.Result.Cached == "no":
		return b.history.Why(b.graph, report, b.look(shortly()))
	}
	return ""
}

// describe says in a few words what became of an action.
func (b *building) describe(report plan.Report, why string) string {
	switch report.State {
	case plan.Ran:
		return fmt.Sprintf("ran in %s (%s)", seconds(report.Duration), why)
	case plan.Failed:
		return failureText(b.graph.Nodes[report.Node].Action, report.Result)
	case plan.Skipped:
		return "not run, since " + why
	case plan.Broken:
		return strings.ReplaceAll("larder could not do it: "+report.Err.Error(), "\n", "\n    ")
	}
	return string(report.State)
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

// sum says what became of all, and gives the exit code.
func (b *building) sum(reports []plan.Report, took time.Duration) error {
	names := map[plan.State][]string{}
	for _, report := range reports {
		names[report.State] = append(names[report.State], b.graph.Nodes[report.Node].Plan.Name)
	}
	var parts []string
	for _, state := range []plan.State{plan.Ran, plan.Reused, plan.Merged} {
		if n := len(names[state]); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	for _, lost := range []struct {
		what  string
		names []string
	}{
		{"failed", names[plan.Failed]}, {"that larder could not do", names[plan.Broken]},
		{"not run", slices.Concat(names[plan.Skipped], names[plan.Left])},
	} {
		if len(lost.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(lost.names), lost.what, shortList(lost.names)))
		}
	}
	interrupted := b.interrupted()
	if interrupted != 0 {
		parts = append(parts, fmt.Sprintf("interrupted by signal %d (%s)", int(interrupted), interrupted))
	}
	noun := "actions"
	if len(reports) == 1 {
		noun = "action"
	}
	fmt.Fprintf(os.Stderr, "larder: %d %s in %s: %s\n", len(reports), noun, seconds(took), strings.Join(parts, ", "))
	switch {
	case interrupted != 0:
		return exitCode(128 + int(interrupted))
	case len(names[plan.Broken]) > 0:
		return exitCode(codeFailed)
	case len(names[plan.Failed]) > 0:
		return exitCode(codeActionFailed)
	}
	return nil
}

// codeActionFailed is the exit code of build after the failure of an action.
const codeActionFailed = 1

// shortList names a few.
func shortList(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
