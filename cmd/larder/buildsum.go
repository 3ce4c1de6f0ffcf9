package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"larder/executor/plan"
)

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
	b.display.say(plainly, "larder: %d %s in %s: %s", len(reports), noun, seconds(took), strings.Join(parts, ", "))
	if why := b.whyText(); why != "" {
		b.display.say(plainly, "larder: why they ran: %s", why)
	}
	if chain, spent := b.graph.Longest(reports); len(chain) > 1 && len(names[plan.Ran])+len(names[plan.Failed]) > 0 {
		b.display.say(plainly, "larder: longest chain: %s: %s", seconds(spent), b.chainText(chain, reports))
	}
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

// whyText says in one line why actions ran, the most common reasons first.
func (b *building) whyText() string {
	byReason := map[string][]string{}
	for i, reason := range b.reasons {
		if reason != "" {
			byReason[reason] = append(byReason[reason], b.name(i))
		}
	}
	reasons := slices.SortedFunc(maps.Keys(byReason), func(x, y string) int {
		return cmp.Or(len(byReason[y])-len(byReason[x]), strings.Compare(x, y))
	})
	const most, named = 5, 3
	var parts []string
	others := 0
	for i, reason := range reasons {
		names := byReason[reason]
		switch {
		case i >= most:
			others += len(names)
		case len(names) > named:
			parts = append(parts, fmt.Sprintf("%s (%d)", reason, len(names)))
		default:
			parts = append(parts, fmt.Sprintf("%s (%s)", reason, strings.Join(names, ", ")))
		}
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("other reasons (%d)", others))
	}
	return strings.Join(parts, "; ")
}

// chainText names the actions of a chain with their times; of a long one those
// that took longest.
func (b *building) chainText(chain []int, reports []plan.Report) string {
	took := map[int]time.Duration{}
	for _, report := range reports {
		took[report.Node] = report.Duration
	}
	const most = 5
	rest := slices.SortedFunc(slices.Values(chain), func(x, y int) int { return int(max(min(took[y]-took[x], 1), -1)) })
	rest = rest[min(most, len(rest)):]
	var parts []string
	for _, i := range chain {
		if !slices.Contains(rest, i) {
			parts = append(parts, fmt.Sprintf("%s %s", b.graph.Nodes[i].Plan.Name, seconds(took[i])))
		}
	}
	text := strings.Join(parts, ", ")
	if len(rest) > 0 {
		text += fmt.Sprintf(" and %d shorter ones", len(rest))
	}
	return text
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
