package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"larder/caches"
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

// ParseSpec reads one JSON object. Unknown members, a wrong type and anything
// after the object are errors that give the line.
func ParseSpec(data []byte) (Spec, error) {
	var spec Spec
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&spec); err != nil {
		line := 1 + bytes.Count(data[:placeOf(err, data)], []byte("\n"))
		return Spec{}, fmt.Errorf("%w spec, at line %d: %w", caches.ErrInvalid, line, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Spec{}, fmt.Errorf("%w spec: something follows the JSON object; a spec is one object", caches.ErrInvalid)
	}
	return spec, nil
}

// placeOf returns the offset in data that a decoding error is about. The error
// for an unknown member has only its name, so the first member of that name is
// taken; an end that comes too early is at the end.
func placeOf(err error, data []byte) int {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	place := len(data)
	switch {
	case errors.As(err, &syntax):
		place = int(syntax.Offset)
	case errors.As(err, &wrongType):
		place = int(wrongType.Offset)
	default:
		if _, name, found := strings.Cut(err.Error(), "unknown field "); found {
			place = memberAt(data, []byte(name))
		}
	}
	return min(max(place, 0), len(data))
}

// memberAt returns the offset of the first place where the quoted name is
// followed by a colon.
func memberAt(data, name []byte) int {
	for at := 0; ; at += len(name) {
		next := bytes.Index(data[at:], name)
		if next < 0 || len(name) == 0 {
			return len(data)
		}
		at += next
		if bytes.HasPrefix(bytes.TrimLeft(data[at+len(name):], " \t\r\n"), []byte(":")) {
			return at
		}
	}
}
