package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"larder/executor/plan"
	"larder/executor/plan/report"
)

// page gathers what larder build --report writes. A nil *page gathers nothing.
type page struct {
	file  *os.File
	said  []string // by node, the end of what it said
	share int64    // how much of a stream of an action that did not fail
	title string
}

// newPage begins the file at path; without a path there is no page.
func newPage(path, plan string, nodes int) (*page, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	share := min(max(mostSaid/int64(max(nodes, 1)), leastShown), mostShown)
	return &page{file: file, said: make([]string, nodes), share: share, title: "larder build " + filepath.Base(plan)}, nil
}

// How much of a stream is in a report: of many actions less, so that a browser
// still takes the page, but of one that failed always the most.
const (
	mostShown  = 8 << 10
	leastShown = 512
	mostSaid   = 8 << 20 // by all actions together
)

// note keeps the end of what an action said, before it is printed.
func (p *page) note(report plan.Report, said *spool) {
	if p == nil {
		return
	}
	most := p.share
	if report.State == plan.Failed {
		most = mostShown
	}
	p.said[report.Node] = said.stdout.tail(most) + said.stderr.tail(most)
}

// write writes the page of a build that has ended.
func (p *page) write(b *building, reports []plan.Report, began time.Time) error {
	if p == nil {
		return nil
	}
	chain, longest := b.graph.Longest(reports)
	isLongest := map[int]bool{}
	for _, i := range chain {
		isLongest[i] = true
	}
	whole := &report.Build{Title: p.title, Began: began.Format(time.DateTime), MS: milliseconds(time.Since(began)), ChainMS: milliseconds(longest)}
	if why := b.whyText(); why != "" {
		whole.Summary = append(whole.Summary, "why they ran: "+why)
	}
	places := make([]int, len(b.graph.Nodes))
	for place, one := range reports {
		places[one.Node] = place
	}
	for _, one := range reports {
		shown := p.action(b, one, began)
		shown.Chain = isLongest[one.Node]
		for _, need := range b.graph.Nodes[one.Node].Needs {
			shown.Needs = append(shown.Needs, places[need])
		}
		whole.Actions = append(whole.Actions, shown)
	}
	err := report.Write(p.file, whole)
	if closed := p.file.Close(); err == nil && closed != nil {
		err = fmt.Errorf("write the report: %w", closed)
	}
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// action is one action as the page shows it.
func (p *page) action(b *building, one plan.Report, began time.Time) report.Action {
	shown := report.Action{
		Name: b.name(one.Node), State: string(one.State), MS: milliseconds(one.Duration),
		Why: b.reasons[one.Node], Output: p.said[one.Node],
	}
	if !one.Start.IsZero() {
		shown.Start = milliseconds(one.Start.Sub(began))
	}
	if one.State == plan.Skipped {
		shown.Why = "it needs " + b.name(one.For)
	}
	if one.Err != nil {
		shown.Problem = one.Err.Error()
	}
	if result := one.Result; result != nil {
		shown.Key, shown.Warns = result.Key, warningsOf(result)
		shown.Exit = fmt.Sprintf("%s, exit code %d, kept result: %s", result.Status, result.ExitCode, result.Cached)
		for _, cache := range result.Caches {
			shown.Caches = append(shown.Caches, fmt.Sprintf("%s: %s, %d added, %d changed, %d removed", cache.Name, cache.Outcome, cache.Added, cache.Changed, cache.Removed))
		}
	}
	return shown
}
