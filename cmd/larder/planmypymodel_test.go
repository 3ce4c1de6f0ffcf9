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

// pythonTree is a source tree as a model: packages with and without a file of
// their own, a stub beside a module, cycles, and imports of every form.
type pythonTree struct {
	modules map[string]treeModule // by name
	settled string                // the options in mypy.ini
}

// treeModule is one module: a function, a class, and uses of other modules.
type treeModule struct {
	returns  string
	body     int // an edit of it leaves the interface as it is
	wrong    bool
	ignored  bool   // a comment that mypy may find unused
	external string // what it imports from outside
	star     string
	uses     map[string]treeUse
}

// treeUse is how a module uses another one.
type treeUse struct{ form, kind string }

// treeNames are the modules that a tree may have. ns is a package without a file.
func treeNames() []string {
	var names []string
	for _, folder := range []string{"app", "app.core", "app.web", "app.web.deep", "ns.one", "ns.two"} {
		for i := range 4 {
			names = append(names, fmt.Sprintf("%s.m%d", folder, i))
		}
	}
	return names
}

func newPythonTree(random *rand.Rand) *pythonTree {
	tree := &pythonTree{modules: map[string]treeModule{}}
	for _, name := range treeNames()[:20] {
		tree.modules[name] = treeModule{returns: "int", body: 10, uses: map[string]treeUse{}}
	}
	for range 30 {
		tree.edit(random)
	}
	return tree
}

func (p *pythonTree) names() []string { return slices.Sorted(maps.Keys(p.modules)) }

// edit changes one thing, and says what.
func (p *pythonTree) edit(random *rand.Rand) string {
	name := oneOf(random, p.names()...)
	module := p.modules[name]
	kind := oneOf(random, "body", "body", "signature", "import", "import", "import", "unimport", "wrong", "ignore", "external", "star", "settings", "file")
	switch kind {
	case "body":
		module.body = 10 + random.IntN(90)
	case "signature":
		module.returns = oneOf(random, "int", "str", "list[int]")
	case "import":
		// Deleted modules are imported as well.
		if other := oneOf(random, treeNames()...); other != name {
			module.uses[other] = treeUse{oneOf(random, "import", "from", "name", "relative", "inside", "typing", "conditional"), oneOf(random, "int", "str", "reveal", "field")}
		}
	case "unimport":
		for _, other := range slices.Sorted(maps.Keys(module.uses)) {
			delete(module.uses, other)
			break
		}
	case "wrong":
		module.wrong = !module.wrong
	case "ignore":
		module.ignored = !module.ignored
	case "external":
		module.external = oneOf(random, "", "json", "shlex", "yaml", "no_such_module", "no_such.at_all")
	case "star":
		if other := oneOf(random, treeNames()...); other != name {
			module.star = oneOf(random, "", other)
		}
	case "settings":
		p.settled = oneOf(random, "", "strict = true\n", "warn_unused_ignores = true\n[mypy-app.web.*]\nignore_errors = true\n[mypy-unused.*]\nstrict = true\n")
	default:
		return kind + " " + p.file(random, name)
	}
	p.modules[name] = module
	return kind + " of " + name
}

// file adds or deletes a module.
func (p *pythonTree) file(random *rand.Rand, name string) string {
	if other := oneOf(random, treeNames()...); len(p.modules) < 18 || random.IntN(2) == 0 {
		if _, there := p.modules[other]; !there {
			p.modules[other] = treeModule{returns: "str", uses: map[string]treeUse{}}
		}
		return other + " added"
	}
	delete(p.modules, name)
	return name + " deleted"
}

// text is a module as Python. What it uses of others is in functions, so that a
// cycle does not make types that nothing settles.
func (m treeModule) text(name string) string {
	var head, body strings.Builder
	head.WriteString("from typing import TYPE_CHECKING\nimport sys\n")
	if m.external != "" {
		fmt.Fprintf(&head, "import %s\n", m.external)
	}
	if m.star != "" {
		fmt.Fprintf(&head, "from %s import *\n", m.star)
	}
	for _, other := range slices.Sorted(maps.Keys(m.uses)) {
		m.use(name, other, &head, &body)
	}
	value := map[string]string{"int": "%d", "str": "'%d'", "list[int]": "[%d]"}[m.returns]
	text := head.String() + fmt.Sprintf("\n\ndef f(a: int) -> %s:\n    local = %d\n    return "+value+"\n", m.returns, m.body, m.body)
	text += fmt.Sprintf("\n\nclass C:\n    x: %s = "+value+"\n", m.returns, m.body)
	if m.wrong {
		body.WriteString("    wrong: int = 'text'\n")
	}
	if m.ignored {
		body.WriteString("    ignored = 1  # type: ignore\n")
	}
	return text + "\n\ndef use() -> None:\n    pass\n" + body.String()
}

// use writes the import of a module and what is done with it.
func (m treeModule) use(name, other string, head, body *strings.Builder) {
	folder, last := other[:strings.LastIndex(other, ".")], other[strings.LastIndex(other, ".")+1:]
	alias := strings.ReplaceAll(other, ".", "_")
	line, call := "", alias+"."
	switch m.uses[other].form {
	case "import":
		line, call = "import "+other, other+"."
	case "relative":
		if name[:strings.LastIndex(name, ".")] == folder {
			line = "from . import " + last + " as " + alias
			break
		}
		fallthrough
	case "from":
		line = "from " + folder + " import " + last + " as " + alias
	case "name":
		line = "from " + other + " import f as " + alias + "_f, C as " + alias + "_C"
		call = alias + "_"
	case "typing":
		line = "if TYPE_CHECKING:\n    import " + other + " as " + alias
	case "conditional":
		line = "if sys.platform == 'win32':\n    import " + other + " as " + alias + "\nelse:\n    from " + folder + " import " + last + " as " + alias
	case "inside":
		fmt.Fprintf(body, "    import %s as %s\n", other, alias)
	}
	if line != "" {
		fmt.Fprintln(head, line)
	}
	switch kind := m.uses[other].kind; kind {
	case "reveal":
		fmt.Fprintf(body, "    reveal_type(%sf(1))\n", call)
	case "field":
		fmt.Fprintf(body, "    c_%s: int = %sC().x\n", alias, call)
	default:
		fmt.Fprintf(body, "    v_%s: %s = %sf(no_such=2)\n", alias, kind, call)
	}
}

// write makes the tree what it is below root.
func (p *pythonTree) write(root string) error {
	for _, folder := range []string{"app", "ns"} {
		if err := os.RemoveAll(filepath.Join(root, folder)); err != nil {
			return err
		}
	}
	files := map[string]string{
		"mypy.ini":        "[mypy]\nexplicit_package_bases = true\n" + p.settled,
		"app/__init__.py": "", "app/core/__init__.py": "from app.core.m0 import f as reexported\n",
		"app/web/__init__.py": "", "app/web/deep/__init__.py": "",
	}
	for name, module := range p.modules {
		file := strings.ReplaceAll(name, ".", "/")
		files[file+".py"] = module.text(name)
		if name == "app.m3" { // a stub, which is what others see
			files[file+".pyi"] = fmt.Sprintf("def f(a: int) -> %s: ...\nclass C:\n    x: %s\n", module.returns, module.returns)
		}
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
