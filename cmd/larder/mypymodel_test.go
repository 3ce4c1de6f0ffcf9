package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pythonPackage is a small package as a model: what it holds is decided by
// random edits, and its text follows from that alone.
type pythonPackage struct {
	modules map[string]pythonModule
	made    int // modules so far, so that names are not used again at once
}

// pythonModule is one module: a function, a class, and uses of other modules.
type pythonModule struct {
	returns, field string // types
	body           int    // an edit of it leaves the interface as it is
	wrong          bool   // an error of its own
	stdlib         string // a module of the standard library that it imports
	uses           map[string]string
}

func newPythonPackage(random *rand.Rand) pythonPackage {
	p := pythonPackage{modules: map[string]pythonModule{}}
	for range 4 {
		p.add(random)
	}
	for range 5 {
		p.edit(random)
	}
	return p
}

func (p *pythonPackage) clone() pythonPackage {
	copied := pythonPackage{modules: map[string]pythonModule{}, made: p.made}
	for name, module := range p.modules {
		module.uses = maps.Clone(module.uses)
		copied.modules[name] = module
	}
	return copied
}

func (p *pythonPackage) names() []string { return slices.Sorted(maps.Keys(p.modules)) }

func oneOf(random *rand.Rand, choices ...string) string { return choices[random.IntN(len(choices))] }

func (p *pythonPackage) add(random *rand.Rand) {
	p.made++
	name := fmt.Sprintf("m%d", p.made%7)
	p.modules[name] = pythonModule{returns: oneOf(random, "int", "str"), field: "int", uses: map[string]string{}}
}

// edit changes one thing: a body, a signature, an import, an error, or which
// modules there are. A module that is deleted may still be imported.
func (p *pythonPackage) edit(random *rand.Rand) {
	name := oneOf(random, p.names()...)
	module := p.modules[name]
	switch random.IntN(10) {
	case 0, 1:
		module.body = 10 + random.IntN(90) // of the same length each time
	case 2:
		module.returns = oneOf(random, "int", "str", "list[int]")
	case 3:
		module.field = oneOf(random, "int", "str", "float")
	case 4, 5:
		other := oneOf(random, p.names()...)
		if other != name {
			module.uses[other] = oneOf(random, "int", "str", "reveal", "field")
		}
	case 6:
		for _, other := range slices.Sorted(maps.Keys(module.uses)) {
			delete(module.uses, other)
			break
		}
	case 7:
		module.wrong = !module.wrong
	case 8:
		module.stdlib = oneOf(random, "", "json", "enum", "shlex")
	default:
		if len(p.names()) > 3 && random.IntN(2) == 0 {
			delete(p.modules, name)
			return
		}
		p.add(random)
		return
	}
	p.modules[name] = module
}

// text is a module as Python.
func (m pythonModule) text() string {
	var text strings.Builder
	if m.stdlib != "" {
		fmt.Fprintf(&text, "import %s\n", m.stdlib)
	}
	used := slices.Sorted(maps.Keys(m.uses))
	for _, other := range used {
		fmt.Fprintf(&text, "from pkg import %s\n", other)
	}
	value := map[string]string{"int": "%d", "str": "'%d'", "list[int]": "[%d]", "float": "%d.5"}
	fmt.Fprintf(&text, "\n\ndef f(a: int) -> %s:\n    return %s\n", m.returns, fmt.Sprintf(value[m.returns], m.body))
	fmt.Fprintf(&text, "\n\nclass C:\n    x: %s = %s\n", m.field, fmt.Sprintf(value[m.field], m.body))
	text.WriteString("\n\ndef use() -> None:\n    pass\n")
	for _, other := range used {
		switch use := m.uses[other]; use {
		case "reveal":
			fmt.Fprintf(&text, "    reveal_type(%s.f(1))\n", other)
		case "field":
			fmt.Fprintf(&text, "    c_%s: int = %s.C().x\n", other, other)
		default:
			fmt.Fprintf(&text, "    v_%s: %s = %s.f(2)\n", other, use, other)
		}
	}
	if m.wrong {
		text.WriteString("    wrong: int = 'text'\n")
	}
	return text.String()
}

// state is all of the package as one text, which names it.
func (p *pythonPackage) state() string {
	var text strings.Builder
	for _, name := range p.names() {
		fmt.Fprintf(&text, "# %s\n%s", name, p.modules[name].text())
	}
	return text.String()
}

// write makes the package what it is below root.
func (p *pythonPackage) write(root string) error {
	folder := filepath.Join(root, "pkg")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	files := map[string]string{"__init__": ""}
	for name, module := range p.modules {
		files[name] = module.text()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name+".py"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
