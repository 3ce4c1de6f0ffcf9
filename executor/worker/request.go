package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"larder/executor/action"
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
	if !utf8.Valid(line) {
		return Request{}, errors.New("the line is not UTF-8")
	}
	var request Request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return Request{}, explain(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Request{}, errors.New("something follows the JSON object; a line is one object")
	}
	return request, request.check()
}

// explain says in the words of the protocol what the decoder says in those of Go.
func explain(err error) error {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the line is not JSON, at byte %d: %w", syntax.Offset, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the line is not JSON: it ends before the object does")
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Errorf("%s cannot be a JSON %s; docs/worker.schema.json has the form of a request", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return fmt.Errorf("a request is a JSON object, not a JSON %s", wrongType.Value)
	}
	if _, name, found := strings.Cut(err.Error(), "unknown field "); found {
		return fmt.Errorf("there is no member %s; see docs/worker.schema.json", name)
	}
	return err
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
// it was read. It is empty when there is none.
func idOf(line []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return ""
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return ""
		}
		if name == "id" {
			var id string
			if json.Unmarshal(value, &id) != nil || len(id) > MostID || strings.ContainsRune(id, utf8.RuneError) {
				return ""
			}
			return id
		}
	}
	return ""
}
