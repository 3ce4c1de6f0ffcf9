package plan

import (
	"encoding/json"
	"fmt"
	"time"
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
	// NotKept says why there is no kept result under the key, which has what Action
	// and Command have otherwise.
	NotKept string `json:"not_kept,omitempty"`
	Action  []byte `json:"action,omitempty"`
	Command []byte `json:"command,omitempty"`
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
			past.NotKept, past.Action, past.Command = report.Result.NotKept, nil, nil
			if past.NotKept != "" {
				past.Action, past.Command = report.Missed.Key.Kept()
			}
		}
		next[g.Nodes[report.Node].Plan.Name] = past
	}
	text, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("write the history of the plan: %w", err)
	}
	return text, nil
}
