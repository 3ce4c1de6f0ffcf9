// Package form reads JSON to the letter of its schema: members by their exact
// names and each of them once, in UTF-8, with values of the types that they take,
// and nothing behind the object. The decoder of the standard library takes Argv for
// argv, and of a member that is there twice the last; here both are faults, as they
// are by the published schemas. (A value of null leaves a member as it is.)
//
// What a text may hold is told by the Go type that it is read into: by its json
// tags, embedded structs included. Members of a map have any name. A struct has no
// more than 64 members.
//
// Nothing is kept between calls, and all functions may be used by many goroutines
// at once. The look at the names costs a fifth of what the decoder costs where there is
// much of one kind, and some 20 microseconds for each text.
package form

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing that is wrong with a text.
type Fault struct {
	Offset int // in bytes, where it is
	Err    error
}

// Read reads one object into what a pointer points to; what is what the object is
// called, with its article, as "a plan". Of a text that is not JSON the first fault
// is found, of any other the first hundred, in their order in the text.
func Read(text []byte, into any, what string) []Fault {
	if at := firstBroken(text); at >= 0 {
		return []Fault{{at, errors.New("the text is not UTF-8 here")}}
	}
	err := json.Unmarshal(text, into)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return []Fault{explain(text, syntax, what)}
	}
	s := scan{text: text, what: what}
	s.value(shapeOf(reflect.TypeOf(into).Elem()))
	if err != nil && len(s.faults) == 0 {
		s.fault(0, "%w", err)
	}
	slices.SortStableFunc(s.faults, func(a, b Fault) int { return cmp.Compare(a.Offset, b.Offset) })
	return s.faults
}

// firstBroken is where the text stops to be UTF-8, which the decoder would mend by
// another name than the one that was meant; below zero when it does not.
func firstBroken(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		letter, size := utf8.DecodeRune(text[at:])
		if letter == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}

// explain says in words what the decoder says of a text that is not JSON. It tells
// two of its findings apart by their text only.
func explain(text []byte, syntax *json.SyntaxError, what string) Fault {
	at := max(int(syntax.Offset)-1, 0)
	_, kind, _ := strings.Cut(what, " ")
	switch said := syntax.Error(); {
	case said == "unexpected end of JSON input":
		return Fault{len(text), fmt.Errorf("the text ends before the %s does", kind)}
	case strings.HasSuffix(said, " after top-level value"):
		return Fault{at, fmt.Errorf("something follows the JSON object; %s is one object", what)}
	}
	return Fault{at, fmt.Errorf("this is not JSON: %w", syntax)}
}

// Position returns the line and the column of an offset, both from 1. A column is a
// character.
func Position(text []byte, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}
