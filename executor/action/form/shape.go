package form

import (
	"reflect"
	"strings"
)

// shape is what a place in a text may hold. A nil one holds anything.
type shape struct {
	kind    reflect.Kind // of the Go type, with Int for every whole number
	bits    int          // of a number
	members map[string]*member
	element *shape // of a list or a map
}

// member is what an object may have.
type member struct {
	place uint // among the others
	*shape
}

// shapeOf returns the shape of a type, which must not hold itself, nor have a decoder
// of its own or bytes, which JSON has no list of.
func shapeOf(t reflect.Type) *shape {
	s := &shape{kind: t.Kind()}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Bool, reflect.String:
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.bits = reflect.Int, t.Bits()
	case reflect.Float32, reflect.Float64:
		s.kind, s.bits = reflect.Float64, t.Bits()
	case reflect.Slice, reflect.Map:
		s.element = shapeOf(t.Elem())
	case reflect.Struct:
		s.members = map[string]*member{}
		for _, field := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && field.IsExported() {
				s.members[name] = &member{uint(len(s.members)), shapeOf(field.Type)}
			}
		}
	default:
		return nil // an interface, say; the decoder alone decides
	}
	return s
}

// words is what a place takes.
func (s *shape) words() string {
	switch s.kind {
	case reflect.Slice:
		switch {
		case s.element == nil:
		case s.element.kind == reflect.String:
			return "a list of texts"
		case s.element.kind == reflect.Struct:
			return "a list of objects"
		}
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

// like returns the member that the decoder would take a name for, "" for none.
func (s *shape) like(name string) string {
	for known := range s.members {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}
