// Package report writes what became of a build as one HTML page: a timeline, the
// longest chain, outcomes, and each action with its reason and its last words.
//
// The page needs nothing but itself. What comes from a build is in it as JSON, in
// which no character ends an element, and is only ever shown as text; a
// Content-Security-Policy lets run the script and the style that belong to the
// page, by their digests, and lets load nothing at all.
package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Build is a build that has ended. Times are in milliseconds from its beginning.
type Build struct {
	Title    string   `json:"title"`
	Summary  []string `json:"summary"` // lines for people
	Began    string   `json:"began"`   // as people write it
	MS       float64  `json:"ms"`
	ChainMS  float64  `json:"chain_ms"` // of the longest chain
	Actions  []Action `json:"actions"`
	Lanes    int      `json:"lanes"`     // set by Write
	ActionMS float64  `json:"action_ms"` // of all actions together, set by Write
}

// Action is what became of one action. One without a time was not begun.
type Action struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Start   float64  `json:"start"`
	MS      float64  `json:"ms"`
	Lane    int      `json:"lane"` // set by Write; -1 was not begun
	Chain   bool     `json:"chain,omitempty"`
	Why     string   `json:"why,omitempty"`
	Problem string   `json:"problem,omitempty"`
	Key     string   `json:"key,omitempty"`
	Exit    string   `json:"exit,omitempty"`   // in words
	Needs   []int    `json:"needs,omitempty"`  // by place in the list
	Caches  []string `json:"caches,omitempty"` // a line each
	Warns   []string `json:"warnings,omitempty"`
	Output  string   `json:"output,omitempty"` // the end of what it said
}

//go:embed page.html
var page string

//go:embed page.css
var style string

//go:embed page.js
var script string

// Write writes the page. It sets the lanes of the actions.
func Write(w io.Writer, b *Build) error {
	b.lay()
	if b.Summary == nil { // a list of nothing, for the script
		b.Summary = []string{}
	}
	if b.Actions == nil {
		b.Actions = []Action{}
	}
	data, err := json.Marshal(b) // which writes <, > and & as escapes
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	whole := strings.NewReplacer(
		"STYLE_HASH", hash(style), "SCRIPT_HASH", hash(script),
		"/*STYLE*/", style, "/*SCRIPT*/", script, "/*DATA*/", string(data),
	).Replace(page)
	if _, err := io.WriteString(w, whole); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// lay gives each action the first lane that is free when it begins.
func (b *Build) lay() {
	order := make([]int, len(b.Actions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		switch {
		case b.Actions[x].Start < b.Actions[y].Start:
			return -1
		case b.Actions[x].Start > b.Actions[y].Start:
			return 1
		}
		return 0
	})
	var free []float64 // by lane, from when
	for _, i := range order {
		a := &b.Actions[i]
		b.ActionMS += a.MS
		if a.MS <= 0 {
			a.Lane = -1
			continue
		}
		lane := slices.IndexFunc(free, func(from float64) bool { return from <= a.Start })
		if lane < 0 {
			lane, free = len(free), append(free, 0)
		}
		a.Lane, free[lane] = lane, a.Start+a.MS
	}
	b.Lanes = len(free)
}
