package plan

import (
	"reflect"
	"slices"
	"strings"

	"larder/executor/action"
)

// blame finds, for each of the problems that were joined into err, the member of the
// request that it is with, and of a list the place in it: what is wrong with a member
// is wrong when there is no other. A problem of several members together is with
// none.
func blame(spec action.Spec, base string, err error) [][]any {
	problems := split(err)
	found := make([][]any, len(problems))
	if len(problems) == 0 {
		return nil
	}
	look := func(field reflect.StructField, value reflect.Value, path ...any) {
		alone := action.Spec{Argv: []string{"true"}}
		reflect.ValueOf(&alone).Elem().FieldByIndex(field.Index).Set(value)
		_, err := alone.Validate(base)
		for _, one := range split(err) {
			i := slices.IndexFunc(problems, func(p error) bool { return p.Error() == one.Error() })
			if i >= 0 && len(path) > len(found[i]) {
				found[i] = path
			}
		}
	}
	all := reflect.ValueOf(spec)
	for _, field := range reflect.VisibleFields(all.Type()) {
		value := all.FieldByIndex(field.Index)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || value.IsZero() {
			continue
		}
		look(field, value, name)
		for i := 0; value.Kind() == reflect.Slice && i < value.Len(); i++ {
			look(field, value.Slice(i, i+1), name, i)
		}
	}
	return found
}
