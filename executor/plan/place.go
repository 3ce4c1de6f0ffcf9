package plan

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// value is a place in a JSON text: the members and indexes that lead to it, and
// where it begins. Of a member with a name, that is where the name begins when
// isName is set, and else where its value does.
type value struct {
	path   []string
	begin  int
	isName bool
}

// each yields every value and every name of a member in the text, to where the
// text is broken. It costs many times what reading the
// plan does, so it is for plans that are wrong.
func each(text []byte) iter.Seq[value] {
	return func(yield func(value) bool) {
		decoder := json.NewDecoder(bytes.NewReader(text))
		var at nest
		for {
			before := int(decoder.InputOffset())
			token, err := decoder.Token()
			if err != nil {
				return
			}
			begin := before + len(text[before:]) - len(bytes.TrimLeft(text[before:], " \t\r\n,:"))
			closing := token == json.Delim('}') || token == json.Delim(']')
			switch {
			case closing:
				at = at[:len(at)-1]
				at.next()
				continue
			case at.wantsName():
				at.name(token.(string))
				if !yield(value{at.path(), begin, true}) {
					return
				}
				continue
			}
			if !yield(value{at.path(), begin, false}) {
				return
			}
			if delim, ok := token.(json.Delim); ok {
				at = append(at, level{isObject: delim == '{', begins: true})
			} else {
				at.next()
			}
		}
	}
}

// level is one object or list that a text is in.
type level struct {
	isObject bool
	begins   bool // of an object: a name comes next
	member   string
	index    int
}

// nest is all of them, the innermost last.
type nest []level

func (n nest) wantsName() bool {
	return len(n) > 0 && n[len(n)-1].isObject && n[len(n)-1].begins
}

func (n nest) name(text string) {
	n[len(n)-1].member, n[len(n)-1].begins = text, false
}

// next goes on after a value.
func (n nest) next() {
	if len(n) > 0 {
		n[len(n)-1].begins = true
		n[len(n)-1].index++
	}
}

func (n nest) path() []string {
	var path []string
	for _, one := range n {
		if one.isObject {
			path = append(path, one.member)
		} else {
			path = append(path, strconv.Itoa(one.index))
		}
	}
	return path
}

// show writes a path as actions[3].from[0].
func show(path []string) string {
	var text strings.Builder
	for i, step := range path {
		if _, err := strconv.Atoi(step); err == nil && i > 0 {
			text.WriteString("[" + step + "]")
			continue
		}
		if i > 0 {
			text.WriteByte('.')
		}
		text.WriteString(step)
	}
	return text.String()
}

// places finds where values begin, each by its path as show writes it. It reads
// the text once, and only when it is asked.
func places(text []byte) map[string]int {
	found := map[string]int{}
	for v := range each(text) {
		if !v.isName {
			found[show(v.path)] = v.begin
		}
	}
	return found
}

// fieldOf returns the type of what a member or an index leads to in a value of
// type t, or nil when there is no such member.
func fieldOf(t reflect.Type, step string) reflect.Type {
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		return t.Elem()
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && strings.EqualFold(name, step) {
				return field.Type
			}
		}
	}
	return nil
}

// unknownMembers lists the names that a plan does not have.
func unknownMembers(text []byte) []value {
	var found []value
	for v := range each(text) {
		if v.isName && isUnknown(v.path) {
			found = append(found, value{slices.Clone(v.path), v.begin, true})
		}
	}
	return found
}

// isUnknown reports whether a plan has no member at the end of a path. What is in
// something that is unknown itself is not called so once more.
func isUnknown(path []string) bool {
	here := reflect.TypeFor[Plan]()
	for _, step := range path[:len(path)-1] {
		if here = fieldOf(here, step); here == nil {
			return false
		}
	}
	return fieldOf(here, path[len(path)-1]) == nil
}

// valueBefore returns the last value that begins before an offset.
func valueBefore(text []byte, offset int) value {
	var last value
	for v := range each(text) {
		if v.begin >= offset {
			break
		}
		if !v.isName {
			last = v
		}
	}
	return last
}
