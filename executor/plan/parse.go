package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Parse reads a plan, which is one JSON object. What is wrong with its form comes
// as [Problems]: broken JSON, members that there are not (all of them), a value
// of the wrong type, text that is not UTF-8. Whether the plan makes sense is for [Plan.Graph] to say.
func Parse(text []byte) (*Plan, error) {
	p := &Plan{text: text}
	wrong := findings{text: text}
	if at := firstBroken(text); at >= 0 {
		wrong.at(at, "the text is not UTF-8 here")
		return nil, wrong.err()
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(p); err != nil {
		wrong.explain(err, int(decoder.InputOffset()))
		return nil, wrong.err()
	}
	end := int(decoder.InputOffset())
	if rest := bytes.TrimLeft(text[end:], " \t\r\n"); len(rest) > 0 {
		wrong.at(len(text)-len(rest), "something follows the JSON object; a plan is one object")
		return nil, wrong.err()
	}
	return p, nil
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

// explain says in words what the decoder has found at an offset.
func (f *findings) explain(err error, offset int) {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		f.at(max(int(syntax.Offset)-1, 0), "this is not JSON: %v", syntax)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		f.at(len(f.text), "the text ends before the plan does")
	case errors.As(err, &wrongType):
		at := valueBefore(f.text, int(wrongType.Offset))
		what := show(at.path)
		if what == "" {
			what = "a plan"
		}
		f.at(at.begin, "%s takes %s, not %s", what, kindOf(wrongType.Type), article(wrongType.Value))
	default:
		for _, unknown := range unknownMembers(f.text) {
			f.at(unknown.begin, "there is no member %s", show(unknown.path))
		}
		if len(f.all) == 0 {
			f.at(offset, "%v", err)
		}
	}
}

// kindOf is what a type is called in JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

// article is a value as the decoder calls it, in words.
func article(value string) string {
	word, rest, _ := strings.Cut(value, " ")
	switch word {
	case "string":
		return "a text"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	case "number":
		return strings.TrimSpace("the number " + rest)
	}
	return value
}
