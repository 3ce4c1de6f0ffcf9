package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// requirements reads go.mod: the modules that larder's code imports, and those
// of its tools.
func requirements(t *testing.T) (direct, tools []string) {
	t.Helper()
	var required []string
	for line := range strings.Lines(readFile(t, "go.mod")) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && strings.Contains(fields[0], "."):
			required = append(required, fields[0])
			if !strings.Contains(line, "// indirect") {
				direct = append(direct, fields[0])
			}
		case len(fields) == 1 && strings.Contains(fields[0], "/"):
			tools = append(tools, moduleOf(fields[0], required))
		}
	}
	if len(direct) == 0 || len(tools) == 0 {
		t.Fatalf("go.mod has %d direct requirements and %d tools", len(direct), len(tools))
	}
	return direct, tools
}

// moduleOf finds the module that a package belongs to.
func moduleOf(folder string, modules []string) string {
	longest := ""
	for _, module := range modules {
		if strings.HasPrefix(folder+"/", module+"/") && len(module) > len(longest) {
			longest = module
		}
	}
	return longest
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEachDependencyHasItsReason(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|$")
	var documented []string
	for _, match := range row.FindAllStringSubmatch(readFile(t, "docs/dependencies.md"), -1) {
		documented = append(documented, match[1])
		if len(strings.Fields(match[2])) < 2 {
			t.Errorf("docs/dependencies.md: the reason for %s is missing", match[1])
		}
	}
	direct, tools := requirements(t)
	want := slices.Sorted(slices.Values(append(direct, tools...)))
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/dependencies.md does not list what go.mod requires directly (- go.mod, + the document):\n%s", diff)
	}
}

func TestEachDependencyIsImported(t *testing.T) {
	direct, _ := requirements(t)
	imported := map[string]bool{}
	for _, file := range parseModule(t) {
		for _, spec := range file.syntax.Imports {
			imported[moduleOf(strings.Trim(spec.Path.Value, `"`), direct)] = true
		}
	}
	for _, module := range direct {
		if !imported[module] {
			t.Errorf("go.mod requires %s, which no file imports; drop it there and in docs/dependencies.md", module)
		}
	}
}

// bazelName is the name that Bazel knows a module by: the host reversed, then
// the rest, with underscores.
func bazelName(module string) string {
	host, rest, _ := strings.Cut(strings.ToLower(module), "/")
	parts := strings.Split(host, ".")
	slices.Reverse(parts)
	return strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(strings.Join(append(parts, rest), "_"))
}

func TestBazelKnowsTheSameDependencies(t *testing.T) {
	direct, tools := requirements(t)
	var want []string
	for _, module := range append(direct, tools...) {
		if module != "github.com/bazelbuild/bazel-gazelle" { // a module of Bazel itself, above in the file
			want = append(want, bazelName(module))
		}
	}
	_, list, found := strings.Cut(readFile(t, "MODULE.bazel"), "use_repo(\n    go_deps,\n")
	if !found {
		t.Fatal("MODULE.bazel has no use_repo of go_deps")
	}
	list, _, _ = strings.Cut(list, ")")
	var named []string
	for line := range strings.Lines(list) {
		named = append(named, strings.Trim(line, "\", \n"))
	}
	slices.Sort(want)
	slices.Sort(named)
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("use_repo in MODULE.bazel does not list what go.mod requires directly and the tools (- go.mod, + MODULE.bazel):\n%s", diff)
	}
}

// mayLink are the modules that larder may link, beside its own. Each start pays
// for the initialisation of whatever is linked, used or not.
func mayLink() []string {
	return []string{
		"github.com/bmatcuk/doublestar/v4", "github.com/klauspost/cpuid/v2", "github.com/pelletier/go-toml/v2", "github.com/urfave/cli/v3",
		"github.com/zeebo/blake3", "golang.org/x/sys", "golang.org/x/text",
	}
}

func TestLarderLinksOnlyTheseModules(t *testing.T) {
	linked := linked(t, "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}")
	if diff := cmp.Diff(mayLink(), linked); diff != "" {
		t.Errorf("cmd/larder links other modules than it may (- may, + does); move what needs a new one into a program of its own, or measure what it costs each start and add it:\n%s", diff)
	}
}

func TestLarderLinksNoPackageThatIsSlowToStart(t *testing.T) {
	linked := linked(t, "{{.ImportPath}}")
	if len(linked) < 100 || !slices.Contains(linked, "larder/digest/wire") {
		t.Fatalf("of %d packages digest/wire is none", len(linked))
	}
	for name, instead := range map[string]string{
		"regexp":               "the strings package; with it come the tables of unicode",
		"text/template":        "fmt; with it the linker keeps every exported method",
		"html/template":        "a page that shows JSON",
		"net/http":             "a program of its own",
		"golang.org/x/sys/cpu": "digest/cpuid",
		"google.golang.org/protobuf/encoding/protowire": "digest/wire",
	} {
		if slices.Contains(linked, name) {
			t.Errorf("cmd/larder links %s, which every start would pay for; use %s", name, instead)
		}
	}
}

// linked lists what the template says of each package that larder links, sorted, each
// once.
func linked(t *testing.T, template string) []string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the go command is not here: %v", err)
	}
	list := exec.Command("go", "list", "-deps", "-tags", "urfave_cli_no_template", "-f", template, "./cmd/larder")
	list.Dir = moduleRoot(t)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := strings.Fields(string(out))
	slices.Sort(found)
	return slices.Compact(found)
}
