package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"larder/executor/action"
)

// History is what is known of the actions of a plan from builds before, by their
// names. It is advice: without it the order is another and reasons are missing,
// and nothing else.
type History map[string]Past

// Past is the last build of an action.
type Past struct {
	MS     float64 `json:"ms"` // of the last time that it ran
	Key    string  `json:"key,omitempty"`
	Inputs string  `json:"inputs,omitempty"` // the digest of the input tree
	Output string  `json:"output,omitempty"` // and of what it made; none when it failed
}

// ParseHistory reads a history. One that cannot be read is empty.
func ParseHistory(text []byte) History {
	h := History{}
	if json.Unmarshal(text, &h) != nil {
		return History{}
	}
	return h
}

// Took says how long a node took when it ran last, for [Build.Took].
func (h History) Took(g *Graph) func(i int) time.Duration {
	return func(i int) time.Duration {
		return time.Duration(h[g.Nodes[i].Plan.Name].MS * float64(time.Millisecond))
	}
}

// After returns the history after a build of the graph, as JSON. Names that the
// plan no longer has are forgotten.
func (h History) After(g *Graph, reports []Report) ([]byte, error) {
	next := History{}
	for i := range g.Nodes {
		if past, known := h[g.Nodes[i].Plan.Name]; known {
			next[g.Nodes[i].Plan.Name] = past
		}
	}
	for _, report := range reports {
		if report.Start.IsZero() || report.State == Broken {
			continue
		}
		past := next[g.Nodes[report.Node].Plan.Name]
		if report.State != Reused {
			past.MS = float64(report.Duration.Microseconds()) / 1000
		}
		past.Output = ""
		if report.State.IsDone() {
			past.Output = report.Output.String()
		}
		if report.Result != nil {
			past.Key, past.Inputs = report.Result.Key, report.Result.InputDigest
		}
		next[g.Nodes[report.Node].Plan.Name] = past
	}
	text, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("write the history of the plan: %w", err)
	}
	return text, nil
}

// Why says why an action ran, from what it had the last time. output gives the
// tree that a node has made now.
func (h History) Why(g *Graph, i int, result *action.Result, output func(i int) string) string {
	past, known := h[g.Nodes[i].Plan.Name]
	switch {
	case !known || past.Key == "":
		return "the first time"
	case result.Key == "":
		return "kept results were not asked for"
	case past.Key == result.Key && past.Output == "":
		return "it failed the last time"
	case past.Key == result.Key:
		return "its kept result was not used"
	case past.Inputs == result.InputDigest:
		return "its command, its tools or the host changed"
	}
	var changed []string
	for _, need := range g.Nodes[i].Needs {
		name := g.Nodes[need].Plan.Name
		if h[name].Output != output(need) {
			changed = append(changed, name)
		}
	}
	const most = 3
	switch {
	case len(changed) == 0:
		return "its inputs changed"
	case len(changed) > most:
		return fmt.Sprintf("what %s and %d more make changed", strings.Join(changed[:most], ", "), len(changed)-most)
	}
	return "what " + strings.Join(changed, ", ") + " makes changed"
}
