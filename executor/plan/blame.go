package plan

import (
	"reflect"
	"strings"

	"larder/executor/action"
)

// blame finds, for each of the problems that were joined into err, the member of the
// request that it is with, and of a list the place in it: what is wrong with a member
// is wrong when there is no other. A problem of several members together is with
// none.
func blame(spec action.Spec, base string, err error) [][]any {
	problems := split(err)
	if len(problems) == 0 {
		return nil
	}
	found, places := make([][]any, len(problems)), map[string]int{}
	for i, one := range problems {
		places[one.Error()] = i
	}
	look := func(field reflect.StructField, value reflect.Value, path ...any) (isWrong bool) {
		alone := action.Spec{Argv: []string{"true"}}
		reflect.ValueOf(&alone).Elem().FieldByIndex(field.Index).Set(value)
		_, err := alone.Validate(base)
		for _, one := range split(err) {
			if i, is := places[one.Error()]; is && len(path) > len(found[i]) {
				found[i], isWrong = path, true
			}
		}
		return isWrong
	}
	all := reflect.ValueOf(spec)
	for _, field := range reflect.VisibleFields(all.Type()) {
		value := all.FieldByIndex(field.Index)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || value.IsZero() {
			continue
		}
		if !look(field, value, name) || value.Kind() != reflect.Slice {
			continue
		}
		for i := range value.Len() {
			look(field, value.Slice(i, i+1), name, i)
		}
	}
	return found
}
