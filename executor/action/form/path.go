package form

import (
	"strconv"
	"strings"
	"unicode"
)

// Show writes a path, of the names of members and the indexes of lists, as
// actions[3].from[0]. A name that would not read as one is in quotes.
func Show(path ...any) string {
	var text strings.Builder
	for _, one := range path {
		switch one := one.(type) {
		case int:
			text.WriteString("[" + strconv.Itoa(one) + "]")
		case string:
			if text.Len() > 0 {
				text.WriteByte('.')
			}
			text.WriteString(name(one))
		}
	}
	return text.String()
}

// name is a name, in quotes where a reader would not see its end.
func name(text string) string {
	isPlain := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' }
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !isPlain(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// show is Show for the steps of a scan.
func show(steps []step) string {
	var path []any
	for _, one := range steps {
		if one.name == nil {
			path = append(path, one.index)
		} else {
			path = append(path, unquote(one.name))
		}
	}
	return Show(path...)
}

// Places finds where the values of a JSON text begin, each by its path as [Show]
// writes it; there are none in an empty text. It costs many times what [Read] does, so it is for texts in which
// something is wrong.
func Places(text []byte) map[string]int {
	all := map[string]int{}
	if len(text) == 0 {
		return all
	}
	s := scan{text: text, found: func(path []step, begin int) { all[show(path)] = begin }}
	s.value(nil)
	return all
}
