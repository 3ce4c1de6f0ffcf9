package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"larder/executor/action"
	"larder/executor/action/form"
)

// Schema is the version of the protocol: docs/worker.schema.json. Members that
// are added to answers do not change it.
const Schema = 1

// Request is what one line asks for: to run an action, or to cancel one.
type Request struct {
	// Schema is 0 or the constant; who writes it is told when they are not of the
	// same version.
	Schema int `json:"schema,omitempty"`
	// ID names the request in answers. It may be used again once it is answered.
	ID   string       `json:"id,omitempty"`
	Spec *action.Spec `json:"spec,omitempty"`
	// Preset, when set, names what the spec rests on, as larder run --preset does.
	Preset string `json:"preset,omitempty"`
	// Results, when set, is the use of kept results: off, read, write, read-write.
	Results string `json:"results,omitempty"`
	// OutputTo is where outputs are written, instead of below the root; "none" only
	// keeps their digests.
	OutputTo string `json:"output_to,omitempty"`
	// Inline is how many bytes of standard output, and of standard error, come with
	// the answer.
	Inline int `json:"inline,omitempty"`
	// Events wants an answer also when the request is accepted, and when it begins.
	Events bool `json:"events,omitempty"`
	// Cancel, when set, is the id of the request to cancel; all else is empty then.
	Cancel string `json:"cancel,omitempty"`
}

// Bounds of a request.
const (
	MostID     = 256     // bytes of an id
	MostInline = 1 << 20 // bytes of each stream
)

// Parse reads a line, which is one JSON object in UTF-8. Everything in it is
// checked but the members of the spec, whose types and names are; see
// [action.Spec.Validate] for the rest.
func Parse(line []byte) (Request, error) {
	var request Request
	var said []string
	for _, fault := range form.Read(line, &request, "a request") {
		_, column := form.Position(line, fault.Offset)
		said = append(said, fmt.Sprintf("at column %d: %v", column, fault.Err))
	}
	if len(said) > 0 {
		return Request{}, fmt.Errorf("the line is no request, %s; docs/worker.schema.json has its form", strings.Join(said, "; "))
	}
	return request, request.check()
}

// check looks at what a decoder takes all the same.
func (r Request) check() error {
	switch {
	case r.Schema != 0 && r.Schema != Schema:
		return fmt.Errorf("schema %d: this larder speaks schema %d", r.Schema, Schema)
	case r.Cancel != "" && r != (Request{Schema: r.Schema, Cancel: r.Cancel}):
		return errors.New("a request with cancel has no other members")
	case r.Cancel != "":
		return nil
	case r.ID == "":
		return errors.New("the request has no id, which every request needs (or cancel, to cancel one)")
	case len(r.ID) > MostID:
		return fmt.Errorf("the id has %d bytes; the most is %d", len(r.ID), MostID)
	case r.Spec == nil:
		return errors.New("the request has no spec, which says what to run (or cancel, to cancel a request)")
	case r.Inline < 0 || r.Inline > MostInline:
		return fmt.Errorf("inline %d: give a number of bytes from 0 to %d", r.Inline, MostInline)
	}
	return nil
}

// idOf finds the id in a line that is wrong, or too long and here only as far as
// it was read. It is empty when there is none, or more than one.
func idOf(line []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	var found []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			break
		}
		if name == "id" {
			var id string
			if json.Unmarshal(value, &id) != nil || len(id) > MostID || strings.ContainsRune(id, utf8.RuneError) {
				return ""
			}
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
