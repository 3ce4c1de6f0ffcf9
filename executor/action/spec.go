package action

import (
	"fmt"
	"strings"

	"larder/caches"
	"larder/executor/action/form"
)

// Spec is a request as a user writes it, in JSON or by flags. Nothing in it is
// checked until [Spec.Validate].
type Spec struct {
	Argv     []string          `json:"argv,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Root     string            `json:"root,omitempty"` // host directory of inputs and outputs
	Inputs   []string          `json:"inputs,omitempty"`
	Trees    []TreeSpec        `json:"trees,omitempty"`
	Tools    []string          `json:"tools,omitempty"` // host paths
	Payloads []PayloadSpec     `json:"payloads,omitempty"`
	Outputs  []string          `json:"outputs,omitempty"`
	Caches   []CacheSpec       `json:"caches,omitempty"`
	Observe  []string          `json:"observe,omitempty"` // host paths
	Setup    string            `json:"setup,omitempty"`
	Teardown string            `json:"teardown,omitempty"`
	Network  string            `json:"network,omitempty"` // "none" (default) or "host"
	Host     string            `json:"host,omitempty"`    // "system" (default) or "none"
	Userns   bool              `json:"allow_userns,omitempty"`
	Timeout  string            `json:"timeout,omitempty"` // Go duration; empty: none
	Memory   string            `json:"memory,omitempty"`  // a size such as 512M; empty: no limit
	Pids     int               `json:"pids,omitempty"`    // processes and threads at one time; 0: no limit
	CPUTime  string            `json:"cpu_time,omitempty"`
	// OutputLimit is a size, for what is printed and for what is written to disk.
	OutputLimit string `json:"output_limit,omitempty"`
	Strict      bool   `json:"strict,omitempty"`
}

// TreeSpec puts a tree that is already in the store at a path.
type TreeSpec struct {
	Digest string `json:"digest"`
	Path   string `json:"path"`
}

// CacheSpec declares one named cache. Empty options take the default of the
// mode: scope repo for mutable caches, global for append-only ones; publish
// after exit code 0; on-conflict merge; two generations kept; not locked, no
// unit, not shared live.
type CacheSpec struct {
	Name       string `json:"name"`
	Mode       string `json:"mode"`
	Path       string `json:"path"`
	Scope      string `json:"scope,omitempty"`
	Key        string `json:"key,omitempty"`
	Publish    string `json:"publish,omitempty"`
	OnConflict string `json:"on_conflict,omitempty"`
	Keep       int    `json:"keep,omitempty"`
	Lock       bool   `json:"lock,omitempty"`
	Unit       string `json:"unit,omitempty"`  // a glob, for append-only caches
	Share      string `json:"share,omitempty"` // "live" or nothing
}

// ParseSpec reads one JSON object. Members that there are not or that are there
// twice, values of the wrong type, text that is not UTF-8 and anything after the
// object are errors, each with its line and column.
func ParseSpec(data []byte) (Spec, error) {
	var spec Spec
	var said []string
	for _, fault := range form.Read(data, &spec, "a spec") {
		line, column := form.Position(data, fault.Offset)
		said = append(said, fmt.Sprintf("at line %d, column %d: %v", line, column, fault.Err))
	}
	if len(said) > 0 {
		return Spec{}, fmt.Errorf("%w spec, %s", caches.ErrInvalid, strings.Join(said, "; "))
	}
	return spec, nil
}
