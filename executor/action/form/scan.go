package form

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// scan goes through a text that is known to be JSON, once.
type scan struct {
	text   []byte
	at     int
	what   string // the object at the top, with its article
	path   []step // to where it is
	names  []span // of the maps that it is in
	faults []Fault
	found  func(path []step, begin int) // when set, is told of every value
}

// step leads to a value: the name of a member as the text has it, in quotes, or
// else an index.
type step struct {
	name  []byte
	index int
}

// span is a name of a map, read, with its place.
type span struct {
	name  string
	begin int
}

// mostFaults bounds what is told of one text: to find the line of each takes a look at
// all that is before it.
const mostFaults = 100

// fault notes what is wrong.
func (s *scan) fault(at int, format string, args ...any) {
	if len(s.faults) < mostFaults {
		s.faults = append(s.faults, Fault{at, fmt.Errorf(format, args...)})
	}
}

// space goes on to the next thing that says something.
func (s *scan) space() {
	for {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			s.at++
		default:
			return
		}
	}
}

// value goes behind a value of a shape.
func (s *scan) value(of *shape) {
	s.space()
	begin := s.at
	if s.found != nil {
		s.found(s.path, begin)
	}
	switch s.text[s.at] {
	case '{':
		switch {
		case !of.takes('{', nil):
			s.wrongType(begin, of, "an object")
			s.dictionary(nil)
		case of != nil && of.members != nil:
			s.object(of)
		default:
			s.dictionary(of)
		}
	case '[':
		if !of.takes('[', nil) {
			s.wrongType(begin, of, "a list")
			of = nil
		}
		s.list(of)
	default:
		s.plain()
		if token := s.text[begin:s.at]; !of.takes(token[0], token) {
			s.wrongType(begin, of, wordsOf(token))
		}
	}
}

// takes reports whether a value that begins with a letter fits; token is all of it
// where it is neither an object nor a list.
func (s *shape) takes(letter byte, token []byte) bool {
	if s == nil || letter == 'n' {
		return true
	}
	switch letter {
	case '{':
		return s.kind == reflect.Struct || s.kind == reflect.Map
	case '[':
		return s.kind == reflect.Slice
	case '"':
		return s.kind == reflect.String
	case 't', 'f':
		return s.kind == reflect.Bool
	}
	var err error
	switch s.kind {
	case reflect.Int:
		_, err = strconv.ParseInt(string(token), 10, s.bits)
	case reflect.Float64:
		_, err = strconv.ParseFloat(string(token), s.bits)
	default:
		return false
	}
	return err == nil
}

// wordsOf is what a value is that is neither an object nor a list.
func wordsOf(token []byte) string {
	switch token[0] {
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	}
	const most = 40 // digits that are shown
	if len(token) > most {
		return "the number " + string(token[:most]) + "..."
	}
	return "the number " + string(token)
}

// wrongType notes that a value is none of what its place takes.
func (s *scan) wrongType(at int, of *shape, is string) {
	where := s.what
	if len(s.path) > 0 {
		where = show(s.path)
	}
	s.fault(at, "%s takes %s, not %s", where, of.words(), is)
}

// plain goes behind a text, a number or a word.
func (s *scan) plain() {
	if s.text[s.at] == '"' {
		s.quoted()
		return
	}
	rest := s.text[s.at:]
	if end := bytes.IndexAny(rest, " \t\r\n,]}"); end >= 0 {
		rest = rest[:end]
	}
	s.at += len(rest)
}

// quoted goes behind a text, and returns it with its quotes.
func (s *scan) quoted() []byte {
	begin := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	quoted := s.text[begin:s.at]
	if isMended(quoted) {
		s.fault(begin, `half of a pair is not a letter: in %s a \u from d800 to dfff stands alone`, quoted)
	}
	return quoted
}

// isMended reports whether the decoder reads another text than is written: in the
// place of half of a pair of surrogates it puts the letter that stands for none.
func isMended(quoted []byte) bool {
	if !bytes.Contains(quoted, []byte(`\u`)) {
		return false
	}
	const none = "\uFFFD"
	written := bytes.Count(quoted, []byte(none)) + bytes.Count(bytes.ToLower(quoted), []byte(`\ufffd`))
	return strings.Count(unquote(quoted), none) > written
}

// unquote reads a text in quotes. Only one with an escape takes a decoder.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return string(quoted) // which cannot be: it was read before
	}
	return text
}

// list goes behind a list.
func (s *scan) list(of *shape) {
	var element *shape
	if of != nil {
		element = of.element
	}
	s.path = append(s.path, step{})
	s.at++
	for s.space(); s.text[s.at] != ']'; s.space() {
		s.value(element)
		s.path[len(s.path)-1].index++
	}
	s.path = s.path[:len(s.path)-1]
	s.at++
}

// object goes behind an object with members that are known.
func (s *scan) object(of *shape) {
	var seen uint64
	s.path = append(s.path, step{})
	s.at++
	for s.space(); s.text[s.at] != '}'; s.space() {
		begin := s.at
		quoted := s.quoted()
		s.path[len(s.path)-1].name = quoted
		known, is := of.members[string(quoted[1:len(quoted)-1])]
		if !is && bytes.IndexByte(quoted, '\\') >= 0 {
			known, is = of.members[unquote(quoted)]
		}
		switch {
		case !is:
			s.unknown(begin, of)
			s.value(nil)
			continue
		case seen&(1<<known.place) != 0:
			s.twice(begin)
		}
		seen |= 1 << known.place
		s.value(known.shape)
	}
	s.path = s.path[:len(s.path)-1]
	s.at++
}

// unknown notes a member that there is not.
func (s *scan) unknown(at int, of *shape) {
	path := show(s.path)
	if meant := of.like(unquote(s.path[len(s.path)-1].name)); meant != "" {
		s.fault(at, "there is no member %s; it is written %s", path, meant)
		return
	}
	s.fault(at, "there is no member %s", path)
}

func (s *scan) twice(at int) {
	s.fault(at, "the member %s is there twice; leave one of them out", show(s.path))
}

// dictionary goes behind an object whose members have any name; with a shape, each
// of them once.
func (s *scan) dictionary(of *shape) {
	var element *shape
	if of != nil {
		element = of.element
	}
	first := len(s.names)
	s.path = append(s.path, step{})
	s.at++
	for s.space(); s.text[s.at] != '}'; s.space() {
		begin := s.at
		quoted := s.quoted()
		s.path[len(s.path)-1].name = quoted
		if of != nil {
			s.names = append(s.names, span{unquote(quoted), begin})
		}
		s.value(element)
	}
	s.once(s.names[first:])
	s.names = s.names[:first]
	s.path = s.path[:len(s.path)-1]
	s.at++
}

// once notes the names that are in a list again.
func (s *scan) once(names []span) {
	if len(names) < 2 {
		return
	}
	slices.SortStableFunc(names, func(a, b span) int { return strings.Compare(a.name, b.name) })
	for i, one := range names[1:] {
		if one.name == names[i].name {
			quoted, err := json.Marshal(one.name)
			if err != nil {
				quoted = []byte(strconv.Quote(one.name))
			}
			s.path[len(s.path)-1].name = quoted
			s.twice(one.begin)
		}
	}
}
