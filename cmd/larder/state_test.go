package main_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// State that belongs to nobody, and renames that happen anywhere, are what make
// a program hard to reason about. Both have a short list of places here.

// allowedVariables are the package-level variables that are neither an error
// nor embedded data, with the reason for each.
func allowedVariables() map[string]string {
	return map[string]string{
		"cmd/larder/entry_linux.go everywhere": "written before Go's runtime begins, and never again",
		"cmd/larder/entry_linux.go here":       "written before Go's runtime begins, and never again",
		"digest/cpuid/cpuid.go hasAVX2":        "what the processor is does not change, and asking it is dear",
		"digest/cpuid/cpuid.go hasSSE41":       "what the processor is does not change, and asking it is dear",
		"digest/hasher.go buffers":             "a pool of read buffers; what it holds never changes a result",
		"sandbox/plan_linux.go atCWD":          "an operand that never changes, of a type that cannot be a constant",
		"sandbox/plan_linux.go nobody":         "an operand that never changes, of a type that cannot be a constant",
	}
}

// allowedRenames are the functions that may rename files, with the reason for
// each. Stored data is renamed by Replace and Settle only, so that the promise
// "whole or not there" is kept in two places.
func allowedRenames() map[string]string {
	return map[string]string{
		"caches/write.go Replace":                    "puts finished data into its place in the store",
		"caches/settle_linux.go Settle":              "the same, and what is there already stays",
		"caches/cas/export.go moveOver":              "writes files of the host, outside the store",
		"caches/layers/extract.go extractor.file":    "moves files inside a private layer, which nothing names yet",
		"caches/layers/removetree.go remover.moveUp": "moves what is about to be removed, within the tree that goes",
	}
}

func TestPackagesHoldNoStateOfTheirOwn(t *testing.T) {
	allowed := allowedVariables()
	used := map[string]bool{}
	for _, file := range parseModule(t) {
		if file.isTest() || isTestHelper(file.folder()) {
			continue
		}
		for _, declaration := range file.syntax.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s has an init function: work at start is paid by every command; do it where it is used", file.name)
			}
			for _, name := range statefulVariables(declaration) {
				used[file.name+" "+name] = true
				if allowed[file.name+" "+name] == "" {
					t.Errorf("%s: the package variable %s is neither an error nor embedded data; pass it as a value, or make it a function", file.name, name)
				}
			}
		}
	}
	for place := range allowed {
		if !used[place] {
			t.Errorf("%s is not a variable any more; take it off the list", place)
		}
	}
}

// statefulVariables lists the variables of a declaration that may hold state.
func statefulVariables(declaration ast.Decl) []string {
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Tok != token.VAR {
		return nil
	}
	var names []string
	for _, spec := range general.Specs {
		value := spec.(*ast.ValueSpec)
		if isEmbedded(general.Doc) || isEmbedded(value.Doc) {
			continue
		}
		for i, name := range value.Names {
			if name.Name != "_" && (i >= len(value.Values) || !isNewError(value.Values[i])) {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func isEmbedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, line := range doc.List {
		if strings.HasPrefix(line.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

func isNewError(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := function.X.(*ast.Ident)
	return ok && from.Name == "errors" && function.Sel.Name == "New"
}

func TestOnlyAFewFunctionsRename(t *testing.T) {
	allowed := allowedRenames()
	used := map[string]bool{}
	for _, file := range parseModule(t) {
		if file.isTest() || isTestHelper(file.folder()) || strings.HasPrefix(file.name, "cmd/larder-bench/") {
			continue
		}
		for _, declaration := range file.syntax.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !renames(function) {
				continue
			}
			place := file.name + " " + functionName(function)
			used[place] = true
			if allowed[place] == "" {
				t.Errorf("%s renames a file; stored data is put into its place by caches.Replace or caches.Settle only", place)
			}
		}
	}
	for place := range allowed {
		if !used[place] {
			t.Errorf("%s renames nothing any more; take it off the list", place)
		}
	}
}

// functionName is the name of a function, with its receiver's type before it.
func functionName(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	receiver := function.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return name.Name + "." + function.Name.Name
	}
	return function.Name.Name
}

// renames finds a call of a rename of the os, unix or syscall package.
func renames(function *ast.FuncDecl) bool {
	found := false
	ast.Inspect(function, func(node ast.Node) bool {
		call, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := call.X.(*ast.Ident)
		if ok && (from.Name == "os" || from.Name == "unix" || from.Name == "syscall") && strings.HasPrefix(call.Sel.Name, "Rename") {
			found = true
		}
		return true
	})
	return found
}
