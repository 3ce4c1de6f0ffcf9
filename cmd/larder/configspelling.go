package main

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// misspelling is a key that is one in another spelling only, as Store for store:
// TOML tells them apart, and the decoder does not.
type misspelling struct {
	line  int
	key   string // with those that lead to it
	right string // its last part, as it is written
}

// findMisspelling looks at the keys of a file that was decoded into settings, and
// returns the first such one, nil when there is none.
func findMisspelling(data []byte) *misspelling {
	var parser unstable.Parser
	parser.Reset(data)
	top := keyPlace{data: data, of: reflect.TypeFor[settings]()}
	table := top
	for parser.NextExpression() {
		expression := parser.Expression()
		var wrong *misspelling
		switch expression.Kind {
		case unstable.Table:
			table, wrong = top.below(expression)
		case unstable.KeyValue:
			wrong = table.check(expression)
		}
		if wrong != nil {
			return wrong
		}
	}
	return nil
}

// keyPlace is a table of the file, and the type that it is read into.
type keyPlace struct {
	data []byte
	of   reflect.Type // nil where the decoder has no say
	path []string
}

// below follows the key of a table or of a value.
func (p keyPlace) below(node *unstable.Node) (keyPlace, *misspelling) {
	for parts := node.Key(); parts.Next(); {
		part := parts.Node()
		name := string(part.Data)
		of, right := memberOf(p.of, name)
		p = keyPlace{p.data, of, append(p.path[:len(p.path):len(p.path)], name)}
		if right != name {
			line := 1 + bytes.Count(p.data[:part.Raw.Offset], []byte("\n"))
			return p, &misspelling{line, strings.Join(p.path, "."), right}
		}
	}
	return p, nil
}

// check looks at the key of a value, and at those in it.
func (p keyPlace) check(node *unstable.Node) *misspelling {
	inside, wrong := p.below(node)
	if wrong != nil || node.Value().Kind != unstable.InlineTable {
		return wrong
	}
	for members := node.Value().Children(); members.Next(); {
		if wrong := inside.check(members.Node()); wrong != nil {
			return wrong
		}
	}
	return nil
}

// memberOf is the type that a key leads to, and how the key is written.
func memberOf(of reflect.Type, name string) (reflect.Type, string) {
	switch {
	case of == nil:
	case of.Kind() == reflect.Map:
		return of.Elem(), name
	case of.Kind() == reflect.Struct:
		for _, field := range reflect.VisibleFields(of) {
			if written := field.Tag.Get("toml"); strings.EqualFold(written, name) {
				return field.Type, written
			}
		}
	}
	return nil, name
}
