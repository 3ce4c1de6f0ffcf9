package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The packages of larder and the direction of the arrows between them. A change
// here is a change of the design and belongs into docs/design.md too.

// arrows says what one package may import of larder's own.
type arrows struct {
	allowed []string
	reason  string
}

const (
	noArrow = "it stands alone, so that it can be understood and used without the rest"
	helper  = "it helps the tests of its parent, so it sees what its parent sees"
	upwards = "the arrows never run back up: "
)

// wire is what the commands of a user's machine may put together: everything
// that does not speak gRPC.
func wire() []string {
	return []string{
		"caches", "caches/archive", "caches/cas", "caches/journal", "caches/layers", "caches/named", "caches/payload", "caches/results", "caches/upkeep",
		"digest", "executor", "executor/action", "executor/action/compare", "executor/action/form", "executor/explain", "executor/local", "executor/plan", "executor/plan/mypyplan", "executor/plan/progress", "executor/plan/report", "executor/preset", "executor/worker", "sandbox",
	}
}

// below is what the runners may import: all but each other and who calls them.
func below() []string {
	return []string{
		"caches", "caches/cas", "caches/journal", "caches/layers", "caches/named", "caches/payload", "caches/results",
		"digest", "executor", "executor/action", "sandbox",
	}
}

// allowedArrows is the table of docs/design.md. A package without a row here is
// not part of the design yet.
func allowedArrows() map[string]arrows {
	remote := append(wire(), "executor/remote", "executor/server")
	return map[string]arrows{
		"digest/wire":             {nil, noArrow},
		"digest":                  {[]string{"digest/wire"}, noArrow},
		"digest/cpuid":            {nil, noArrow},
		"sandbox/cgroup":          {nil, "it holds processes to limits, wherever they run"},
		"sandbox":                 {[]string{"sandbox/cgroup"}, "it runs one process; it knows no digests and no caches"},
		"caches":                  {nil, "it is only the vocabulary that all caches share"},
		"caches/journal":          {[]string{"caches"}, "it writes down what happened; who looks at that is decided above"},
		"caches/layers":           {[]string{"caches", "digest"}, "a layer is files; who uses it for what is decided above"},
		"caches/layers/layertest": {[]string{"caches", "caches/layers", "digest"}, helper},
		"caches/cas":              {[]string{"caches", "caches/layers", "digest"}, "blobs know neither names nor actions"},
		"caches/named":            {[]string{"caches", "caches/journal", "caches/layers"}, "a named cache holds files, not blobs, and knows no actions"},
		"caches/named/namedtest":  {[]string{"caches", "caches/journal", "caches/layers", "caches/layers/layertest", "caches/named"}, helper},
		"caches/archive":          {[]string{"caches", "caches/layers", "digest"}, "a file holds one view; which cache it becomes is decided above"},
		"caches/archive/zstd":     {nil, "it sees bytes; what they are a file of is decided above"},
		"caches/payload":          {[]string{"caches", "caches/journal", "caches/layers", "digest"}, "a payload is a directory in one state, not an action's result"},
		"caches/results":          {[]string{"caches", "caches/cas", "caches/journal", "digest"}, "a result is found by its key; how it came about is not its matter"},
		"caches/upkeep":           {[]string{"caches", "caches/cas", "caches/journal", "caches/layers", "caches/named", "caches/payload", "caches/results", "digest"}, "it looks after the whole store, so it sees all that is kept there"},
		"executor/action/form":    {nil, "it reads JSON into any type; what that is for is decided above"},
		"executor/action":         {[]string{"caches", "digest", "digest/wire", "executor/action/form"}, "a spec says what is wanted, not how it is done"},
		"executor/action/compare": {[]string{"digest", "digest/wire", "executor/action"}, "two actions are compared by what is in their messages, wherever those come from"},
		"executor/explain":        {[]string{"caches", "caches/results", "digest", "executor", "executor/action", "executor/action/compare"}, "it reads what runs have left, whoever ran them"},
		"executor/preset":         {[]string{"digest", "executor/action"}, "what suits a tool is data under a spec; who runs what is decided above"},
		"executor":                {[]string{"caches", "caches/results", "digest", "executor/action"}, "the pipeline declares small interfaces for the rest, so that runners can differ"},
		"executor/local":          {below(), "the runners do not know each other"},
		"executor/remote":         {below(), "the runners do not know each other"},
		"executor/plan":           {[]string{"caches/results", "digest", "executor", "executor/action", "executor/action/compare", "executor/action/form"}, "a graph is scheduled over the pipeline, whatever runs behind it"},
		"executor/worker":         {[]string{"executor/action", "executor/action/form"}, "it is a protocol; how an action is run is for its caller to say"},
		"executor/plan/mypyplan":  {[]string{"executor/action", "executor/plan"}, "it writes a plan; what a tool needs is no matter of those that run it"},
		"executor/plan/report":    {nil, "it shows what it is given; where that comes from is decided above"},
		"executor/plan/progress":  {[]string{"executor/plan"}, "it tells how far a build is; who shows that is decided above"},
		"cmd/larder/console":      {nil, "it sees text and a terminal; what the text says is decided above"},
		"cmd/larder/signals":      {nil, "it passes on what comes, whatever that is for"},
		"executor/server":         {append(below(), "executor/local", "executor/remote", "executor/plan"), upwards + "a server is wired by a command"},
		"cmd/larder":              {append(wire(), "cmd/larder/console", "cmd/larder/signals"), "what speaks gRPC costs milliseconds at each start, so it is linked into larder-remote"},
		"cmd/larder-bench":        {append(wire(), "caches/layers/layertest", "caches/named/namedtest"), "it measures larder from outside and from inside"},
		"cmd/larder-zstd":         {[]string{"caches/archive/zstd"}, "it is small, so that it starts fast: a filter between two streams"},
		"cmd/larder-remote":       {remote, upwards + "a command imports no command"},
	}
}

// goFile is one parsed source file.
type goFile struct {
	name   string // slash-separated, from the root of the module
	syntax *ast.File
	set    *token.FileSet
}

func (f goFile) folder() string { return path.Dir(f.name) }
func (f goFile) isTest() bool   { return strings.HasSuffix(f.name, "_test.go") }

// isTestHelper says that a package is for tests only, as its name says.
func isTestHelper(folder string) bool { return strings.HasSuffix(folder, "test") }

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		if os.Getenv("CI") == "true" && os.Getenv("TEST_SRCDIR") == "" {
			t.Fatalf("the sources are not here: %v", err)
		}
		t.Skipf("the sources are not here: %v", err)
	}
	return root
}

// codeFolders are the only folders at the top that hold code.
func codeFolders() []string { return []string{"caches", "cmd", "digest", "executor", "sandbox"} }

// parseModule reads every Go file, whatever system it is for.
func parseModule(t *testing.T) []goFile {
	t.Helper()
	root := moduleRoot(t)
	var files []goFile
	err := filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && at != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(at, ".go") {
			return nil
		}
		file, err := parseFile(root, at)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files were found", len(files))
	}
	return files
}

func parseFile(root, at string) (goFile, error) {
	name, err := filepath.Rel(root, at)
	if err != nil {
		return goFile{}, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, at, nil, parser.ParseComments|parser.SkipObjectResolution)
	return goFile{filepath.ToSlash(name), syntax, set}, err
}

func TestImportsFollowTheArrows(t *testing.T) {
	table := allowedArrows()
	for _, file := range parseModule(t) {
		row, ok := table[file.folder()]
		if !ok {
			t.Errorf("%s: the package %s has no row in the table of the design; give it one, with a reason", file.name, file.folder())
			continue
		}
		for _, ours := range ownImports(file) {
			checkArrow(t, file, ours, row)
		}
	}
}

// ownImports lists what a file imports of larder, without the module's name.
func ownImports(file goFile) []string {
	var found []string
	for _, spec := range file.syntax.Imports {
		if ours, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "larder/"); ok {
			found = append(found, ours)
		}
	}
	return found
}

// checkArrow holds a file against its row. A test of a package may import more,
// since nothing can import it: a helper, and what it takes to try the package
// in earnest; but a command never.
func checkArrow(t *testing.T, file goFile, imported string, row arrows) {
	t.Helper()
	if file.isTest() && (imported == file.folder() || !strings.HasPrefix(imported, "cmd/")) {
		return
	}
	if !slices.Contains(row.allowed, imported) {
		t.Errorf("%s imports larder/%s, which %s may not: %s", file.name, imported, file.folder(), row.reason)
	}
}

func TestCodeIsInItsFolders(t *testing.T) {
	for _, file := range parseModule(t) {
		top, _, _ := strings.Cut(file.name, "/")
		if !slices.Contains(codeFolders(), top) {
			t.Errorf("%s: code belongs into one of %s", file.name, strings.Join(codeFolders(), ", "))
		}
		for _, part := range strings.Split(file.folder(), "/") {
			if part == "util" || part == "utils" || part == "common" || part == "helpers" || part == "misc" {
				t.Errorf("%s: a package called %q says nothing about its contents; name it after what it is for", file.name, part)
			}
		}
	}
}

func TestEachPackageHasOneComment(t *testing.T) {
	commented := map[string][]string{}
	for _, file := range parseModule(t) {
		if file.isTest() {
			continue
		}
		names := commented[file.folder()]
		if file.syntax.Doc != nil {
			names = append(names, file.name)
		}
		commented[file.folder()] = names
	}
	for folder, names := range commented {
		if len(names) != 1 {
			t.Errorf("package %s has %d package comments (%s); it needs exactly one", folder, len(names), strings.Join(names, ", "))
		}
	}
}

func TestTheDesignNamesEachPackage(t *testing.T) {
	text := readFile(t, "docs/design.md")
	seen := map[string]bool{}
	for _, file := range parseModule(t) {
		folder := file.folder()
		if !seen[folder] && !isTestHelper(folder) && !strings.Contains(text, "\n| `"+folder+"` |") {
			t.Errorf("docs/design.md has no row for %s in its table of packages", folder)
		}
		seen[folder] = true
	}
}

// forbiddenToLink is what a program that starts once an action may not link: its
// initialisation alone costs as much as the whole sandbox.
func forbiddenToLink() []string {
	return []string{
		"google.golang.org/grpc", "google.golang.org/genproto", "google.golang.org/protobuf/reflect",
		"google.golang.org/protobuf/proto", "github.com/bazelbuild/", "github.com/golang/glog",
		"larder/caches/archive/zstd", "testing",
	}
}

func TestLarderLinksNothingThatItsLocalRunsDoNotUse(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the go command is not here: %v", err)
	}
	list := exec.Command("go", "list", "-deps", "./cmd/larder")
	list.Dir = moduleRoot(t)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "larder/executor") {
		t.Fatalf("go list does not show the packages of larder: %s", out)
	}
	for _, name := range linked {
		for _, forbidden := range forbiddenToLink() {
			if name == forbidden || strings.HasPrefix(name, strings.TrimSuffix(forbidden, "/")+"/") {
				t.Errorf("cmd/larder links %s, which costs time at each start; move what needs it into a program of its own, as cmd/larder-remote and cmd/larder-zstd are, or into a test", name)
			}
		}
	}
}
