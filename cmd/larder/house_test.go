package main_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// How large things may get before they have more than one job. The figures are
// bounds for the whole tree; one that a piece of code cannot meet is a question
// about that piece first.
const (
	longestFunction  = 100 // lines
	usualFunction    = 35  // lines; nine of ten functions are within
	medianFunction   = 10  // lines
	longestFile      = 600 // lines
	mostParameters   = 5
	mostInterfaces   = 8
	mostMethodsOfOne = 5
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	var lengths []int
	for _, file := range parseModule(t) {
		if lines := file.set.File(file.syntax.Pos()).LineCount(); lines > longestFile && !file.isTest() {
			t.Errorf("%s has %d lines; a file of more than %d has more than one job", file.name, lines, longestFile)
		}
		for _, declaration := range file.syntax.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || file.isTest() {
				continue
			}
			lines := file.lines(function)
			lengths = append(lengths, lines)
			if lines > longestFunction {
				t.Errorf("%s: %s has %d lines; none has more than %d", file.name, functionName(function), lines, longestFunction)
			}
			if n := function.Type.Params.NumFields(); n > mostParameters {
				t.Errorf("%s: %s has %d parameters; more than %d are a type that has no name yet", file.name, functionName(function), n, mostParameters)
			}
		}
	}
	slices.Sort(lengths)
	median, usual := lengths[len(lengths)/2], lengths[len(lengths)*9/10]
	t.Logf("%d functions: median %d lines, nine of ten within %d, longest %d", len(lengths), median, usual, lengths[len(lengths)-1])
	if median > medianFunction || usual > usualFunction {
		t.Errorf("functions have %d lines in the median and nine of ten are within %d; the bounds are %d and %d", median, usual, medianFunction, usualFunction)
	}
}

// lines is the length of a function, from its first line to its last.
func (f goFile) lines(function *ast.FuncDecl) int {
	return f.set.Position(function.End()).Line - f.set.Position(function.Pos()).Line + 1
}

func TestInterfacesAreFewAndSmall(t *testing.T) {
	var found []string
	for _, file := range parseModule(t) {
		if file.isTest() {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if contract, ok := spec.Type.(*ast.InterfaceType); ok {
				found = append(found, file.folder()+"."+spec.Name.Name)
				if n := contract.Methods.NumFields(); n > mostMethodsOfOne {
					t.Errorf("%s: the interface %s has %d methods; its user needs fewer than that", file.name, spec.Name.Name, n)
				}
			}
			return true
		})
	}
	t.Logf("%d interfaces: %s", len(found), strings.Join(found, ", "))
	if len(found) > mostInterfaces {
		t.Errorf("there are %d interfaces, more than %d: %s", len(found), mostInterfaces, strings.Join(found, ", "))
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, file := range parseModule(t) {
		if file.isTest() || file.syntax.Name.Name == "main" {
			continue
		}
		for _, declaration := range file.syntax.Decls {
			for _, name := range undocumented(declaration) {
				t.Errorf("%s: %s is exported and has no comment; say what it means and when it fails", file.name, name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration without a comment of
// their own or of their group.
func undocumented(declaration ast.Decl) []string {
	if function, ok := declaration.(*ast.FuncDecl); ok {
		if function.Doc == nil && function.Name.IsExported() && hasExportedReceiver(function) {
			return []string{functionName(function)}
		}
		return nil
	}
	general := declaration.(*ast.GenDecl)
	if general.Doc != nil {
		return nil
	}
	var names []string
	for _, spec := range general.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Doc == nil && spec.Name.IsExported() {
				names = append(names, spec.Name.Name)
			}
		case *ast.ValueSpec:
			if spec.Doc == nil && spec.Comment == nil && spec.Names[0].IsExported() {
				names = append(names, spec.Names[0].Name)
			}
		}
	}
	return names
}

func hasExportedReceiver(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return true
	}
	typeName, _, _ := strings.Cut(functionName(function), ".")
	return ast.IsExported(typeName)
}

func TestNothingIsLeftToDo(t *testing.T) {
	for _, file := range parseModule(t) {
		for _, group := range file.syntax.Comments {
			for _, word := range []string{"TODO", "FIXME", "XXX", "HACK"} {
				if strings.Contains(group.Text(), word+":") || strings.Contains(group.Text(), word+"(") || strings.HasPrefix(group.Text(), word) {
					t.Errorf("%s: a comment says %s; do it, or write down what falls short in docs", file.set.Position(group.Pos()), word)
				}
			}
		}
	}
}

// TestWhatIsPrintedIsLookedAt: a command whose last line does not arrive, as on a
// full disk, has failed. So nothing of the command prints without a look at the
// error; see outlet for the lines that come in numbers.
func TestWhatIsPrintedIsLookedAt(t *testing.T) {
	for _, file := range parseModule(t) {
		if file.isTest() || file.folder() != "cmd/larder" {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			statement, _ := node.(*ast.ExprStmt)
			if statement == nil {
				return true
			}
			call, _ := statement.X.(*ast.CallExpr)
			if call == nil {
				return true
			}
			if name := nameOf(call.Fun); slices.Contains([]string{"fmt.Print", "fmt.Printf", "fmt.Println", "os.Stdout.Write", "os.Stdout.WriteString"}, name) {
				t.Errorf("%s: %s, and nobody looks at its error; return it, or print to an outlet", file.set.Position(call.Pos()), name)
			}
			return true
		})
	}
}

// nameOf is a dotted name, "" of other expressions.
func nameOf(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}
