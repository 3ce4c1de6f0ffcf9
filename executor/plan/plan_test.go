package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"larder/digest"
)

const tree = "0000000000000000000000000000000000000000000000000000000000000000/5"

// good is a plan with every member of its own form.
const good = `{
  "schema": 1,
  "targets": ["all"],
  "actions": [
    {"name": "stubs", "argv": ["mypy", "-c", ""], "outputs": ["cache"], "uses": {"cpus": 2, "memory": "1G"}},
    {"name": "a", "argv": ["mypy", "a"], "inputs": ["a"], "outputs": ["cache"],
     "caches": [{"name": "mypy", "mode": "mutable", "path": ".mypy_cache"}],
     "from": [{"action": "stubs", "subset": ["*.json"], "strip": "cache", "prefix": "seed/b"},
              {"tree": "` + tree + `"}]},
    {"name": "all", "from": [{"action": "a"}, {"action": "stubs"}, {"action": "a", "prefix": "again"}],
     "merge": [{"pattern": "*.meta.json", "policy": "tolerate"}, {"pattern": "log/", "policy": "last"}]},
    {"name": "other", "argv": ["true"]}
  ]
}`

func graphOf(t testing.TB, text string) (*Graph, error) {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return p.Graph("/base")
}

func TestGraph(t *testing.T) {
	g, err := graphOf(t, good)
	if err != nil {
		t.Fatal(err)
	}
	stubs, a, all := g.Nodes[0], g.Nodes[1], g.Nodes[2]
	if stubs.CPUs != 2 || stubs.Memory != 1<<30 || a.CPUs != 1 || a.Memory != 0 {
		t.Errorf("uses: %+v, %+v", stubs, a)
	}
	if a.Action == nil || a.Action.Root != "/base" || len(a.Action.Caches) != 1 || all.Action != nil {
		t.Errorf("actions: %+v, %+v", a.Action, all.Action)
	}
	if !slices.Equal(all.Needs, []int{0, 1}) || !slices.Equal(a.Needs, []int{0}) {
		t.Errorf("needs %v and %v", all.Needs, a.Needs)
	}
	want := []digest.PathPolicy{{Pattern: "*.meta.json", Policy: digest.PolicyTolerate}, {Pattern: "log/", Policy: digest.PolicyLast}}
	if !slices.Equal(all.Policies, want) {
		t.Errorf("policies %v", all.Policies)
	}
}

func TestTargets(t *testing.T) {
	g, err := graphOf(t, good)
	if err != nil {
		t.Fatal(err)
	}
	for names, want := range map[string][]int{"": {0, 1, 2}, "stubs": {0}, "a": {0, 1}, "other a": {0, 1, 3}, "other": {3}} {
		if got, err := g.Targets(strings.Fields(names)...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", names, got, err, want)
		}
	}
	if _, err := g.Targets("a", "none"); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("a target that there is not: %v", err)
	}
	g, err = graphOf(t, strings.Replace(good, `"targets": ["all"],`, "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Targets(); err != nil || len(got) != 4 {
		t.Errorf("without targets: %v, %v; want all", got, err)
	}
}

func TestParseSaysWhere(t *testing.T) {
	for what, c := range map[string]struct{ text, want string }{
		"empty":               {"", "1:1: the text ends before the plan does"},
		"cut off":             {"{\n \"schema\": 1", "2:13: the text ends before the plan does"},
		"broken":              {"{\n  \"schema\" 1}", "2:12: this is not JSON: invalid character '1' after object key"},
		"after an umlaut":     {"{\"ä\" 1}", "1:6: this is not JSON: invalid character '1' after object key"},
		"a list":              {"\n []", "2:2: a plan takes an object, not a list"},
		"a number":            {"7", "1:1: a plan takes an object, not the number 7"},
		"wrong type":          {"{\"schema\": 1,\n \"actions\": [{\"name\": \"a\"},\n  {\"argv\": \"true\"}]}", "3:12: actions[1].argv takes a list of texts, not a text"},
		"wrong type in a map": {`{"actions": [{"env": {"A": 1}}]}`, "1:28: actions[0].env.A takes a text, not the number 1"},
		"object for a text":   {`{"actions": [{"name": {"a": 1}}]}`, "1:23: actions[0].name takes a text, not an object"},
		"half a processor":    {`{"actions": [{"pids": 0.5}]}`, "1:23: actions[0].pids takes a whole number, not the number 0.5"},
		"wrong truth":         {`{"actions": [{"strict": "yes"}]}`, "1:25: actions[0].strict takes true or false, not a text"},
		"unknown member":      {"{\"schema\": 1,\n \"actoins\": []}", "2:2: there is no member actoins"},
		"two unknown members": {"{\"actions\": [{\"nam\": \"x\"},\n {\"from\": [{\"prefx\": \"x\"}]}]}", "1:15: there is no member actions[0].nam\n2:13: there is no member actions[1].from[0].prefx"},
		"another case":        {"{\"schema\": 1,\n \"Actions\": [{\"Name\": 1}]}", "2:2: there is no member Actions; it is written actions"},
		"twice":               {"{\"actions\": [{\"name\": \"a\",\n \"argv\": [], \"name\": \"b\"}]}", "2:14: the member actions[0].name is there twice; leave one of them out"},
		"twice in a map":      {`{"actions": [{"env": {"A": "1", "B": "", "A": "2"}}]}`, "1:42: the member actions[0].env.A is there twice; leave one of them out"},
		"of all kinds":        {"{\"actions\": [{\"ArgV\": []},\n {\"name\": 1}], \"schema\": 1, \"schema\": 1}", "1:15: there is no member actions[0].ArgV; it is written argv\n2:11: actions[1].name takes a text, not the number 1\n2:29: the member schema is there twice; leave one of them out"},
		"in an unknown one":   {`{"x": {"y": 1}}`, "1:2: there is no member x"},
		"not UTF-8":           {"{\"schema\": 1,\n \"actions\": [{\"name\": \"a\xff\"}]}", "2:25: the text is not UTF-8 here"},
		"a second object":     {good + "\n {}", "15:2: something follows the JSON object; a plan is one object"},
		"rubbish behind":      {"{} ]", "1:4: something follows the JSON object; a plan is one object"},
	} {
		_, err := Parse([]byte(c.text))
		if !errors.Is(err, ErrPlan) || err.Error() != "invalid plan\n"+c.want {
			t.Errorf("%s: said\n%v\nwant\n%s", what, err, c.want)
		}
	}
}

func TestGraphSaysEverythingThatIsWrong(t *testing.T) {
	text := `{
 "schema": 2,
 "targets": ["a", "nobody"],
 "actions": [
  {"name": "a", "argv": ["x"], "from": [{"action": "b"}, {"action": "gone"}]},
  {"name": "b", "argv": ["x"], "from": [{"action": "c", "prefix": "../up", "strip": "/abs"}]},
  {"name": "c", "argv": ["x"], "from": [{"action": "a"}, {"tree": "x/y"}, {}, {"action": "a", "tree": "z"}]},
  {"name": "a", "argv": ["x"], "outputs": ["/out"], "network": "mars"},
  {"argv": ["x"]},
  {"name": "odd\n", "argv": ["x"]},
  {"name": "self", "from": [{"action": "self", "subset": ["a/../b"]}]},
  {"name": "nothing"},
  {"name": "half", "from": [{"action": "a"}], "outputs": ["o"]},
  {"name": "hints", "argv": ["x"], "uses": {"cpus": -1, "memory": "much"},
   "merge": [{"pattern": "x", "policy": "second"}, {"pattern": "!x", "policy": "last"}]}
 ]
}`
	_, err := graphOf(t, text)
	var all Problems
	if !errors.As(err, &all) || !errors.Is(err, ErrPlan) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`2:12: the schema of the plan is 2; this version of larder reads 1`,
		`3:19: there is no action "nobody"`,
		`5:40: actions need each other in a circle: a needs b needs c needs a`,
		`5:69: action "a" needs "gone", and there is no such action`,
		`6:67: invalid prefix path "../up"`,
		`6:85: invalid strip path "/abs"`,
		`7:67: invalid digest "x/y"`,
		`7:75: a source names either an action or a tree`,
		`7:79: a source names either an action or a tree`,
		`8:12: there are two actions called "a"; actions[0] is the first`,
		`8:44: action "a": invalid output path "/out"`,
		`8:64: action "a": invalid network "mars"`,
		`9:3: the action has no name`,
		`10:12: the name "odd\n" has characters that do not print`,
		`11:28: actions need each other in a circle: self needs self`,
		`11:58: bad input pattern`,
		`12:3: action "nothing" has neither argv nor from`,
		`13:3: action "half" has no argv, so it only merges`,
		`14:53: an action cannot use -1 processors`,
		`15:14: unknown policy "second"`,
		`15:52: bad input pattern "!x"`,
	} {
		found := slices.ContainsFunc(all, func(p *Problem) bool { return strings.HasPrefix(p.Error(), want) })
		if !found {
			t.Errorf("nothing begins with %s", want)
		}
	}
	if len(all) != 22 { // line 8 has two from the request
		t.Errorf("%d problems", len(all))
	}
	for i := 1; i < len(all); i++ {
		if all[i].Line < all[i-1].Line {
			t.Errorf("line %d comes after line %d", all[i].Line, all[i-1].Line)
		}
	}
	if text := err.Error(); !strings.Contains(text, "and 2 more") {
		t.Errorf("the message is not bounded:\n%s", text)
	}
	if t.Failed() {
		for _, one := range all {
			t.Log(one)
		}
	}
}

func TestAPlanThatWasNotReadHasNoLines(t *testing.T) {
	_, err := (&Plan{Schema: Version}).Graph("/")
	if err == nil || err.Error() != "invalid plan\nthe plan has no actions" {
		t.Errorf("said %v", err)
	}
}

// TestCyclesAndOrder draws graphs: one with a way back is refused and names a
// circle that is one, any other is ordered.
func TestCyclesAndOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(r, "actions")
		p := &Plan{Schema: Version}
		needs := map[string]bool{}
		for i := range n {
			one := Action{Name: fmt.Sprint("n", i)}
			one.Argv = []string{"x"}
			for _, k := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 2).Draw(r, "needs") {
				one.From = append(one.From, Source{Action: fmt.Sprint("n", k)})
				needs[fmt.Sprintf("n%d needs n%d", i, k)] = true
			}
			p.Actions = append(p.Actions, one)
		}
		g, err := p.Graph("/")
		var all Problems
		if errors.As(err, &all) {
			for _, one := range all {
				_, circle, _ := strings.Cut(one.Error(), "circle: ")
				names := strings.Split(circle, " needs ")
				if names[0] != names[len(names)-1] || len(names) < 2 {
					r.Fatalf("%v is no circle", one)
				}
				for i := 1; i < len(names); i++ {
					if !needs[names[i-1]+" needs "+names[i]] {
						r.Fatalf("%v: it does not", one)
					}
				}
			}
			return
		}
		order, failed := g.Targets()
		if err != nil || failed != nil || len(order) != n {
			r.Fatalf("%v, %v: %v", err, failed, order)
		}
		for i, node := range g.Nodes {
			for _, need := range node.Needs {
				if slices.Index(order, need) >= slices.Index(order, i) {
					r.Fatalf("%d needs %d, the order is %v", i, need, order)
				}
			}
		}
	})
}

func TestALongChainIsQuick(t *testing.T) {
	p := &Plan{Schema: Version}
	for i := range 20_000 {
		one := Action{Name: fmt.Sprint(i)}
		one.Argv = []string{"x"}
		if i > 0 {
			one.From = []Source{{Action: fmt.Sprint(i - 1)}}
		}
		p.Actions = append(p.Actions, one)
	}
	slices.Reverse(p.Actions)
	g, err := p.Graph("/")
	if err != nil {
		t.Fatal(err)
	}
	if order, err := g.Targets("0"); err != nil || len(order) != 1 {
		t.Errorf("%v, %v", order, err)
	}
	last := &p.Actions[len(p.Actions)-1]
	last.From = []Source{{Action: "19999"}}
	if _, err := p.Graph("/"); err == nil || !strings.Contains(err.Error(), "19999 needs 19998 needs") {
		t.Errorf("a circle of all: %.200v", err)
	}
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../docs/plan.schema.json")
	if err != nil {
		t.Skipf("the documents are not here: %v", err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("plan.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestTheSchemaTakesWhatWeTake holds the published schema against the checks.
func TestTheSchemaTakesWhatWeTake(t *testing.T) {
	published := schema(t)
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the plan has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	p, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		text string
		ok   bool
	}{
		"written by us":     {string(written), true},
		"good":              {good, true},
		"no targets":        {change(`"targets": ["all"],`, ""), true},
		"schema":            {change(`"schema": 1`, `"schema": 2`), false},
		"no schema":         {change(`"schema": 1,`, ""), false},
		"unknown member":    {change(`"targets"`, `"goals"`), false},
		"unknown in action": {change(`"argv"`, `"arg"`), false},
		"unknown in source": {change(`"subset"`, `"part"`), false},
		"no name":           {change(`"name": "stubs", `, ""), false},
		"empty name":        {change(`"name": "other"`, `"name": ""`), false},
		"text for a list":   {change(`["mypy", "a"]`, `"mypy a"`), false},
		"neither":           {change(`"argv": ["true"]`, `"env": {}`), false},
		"no such policy":    {change(`"policy": "last"`, `"policy": "second"`), false},
		"negated pattern":   {change(`"pattern": "log/"`, `"pattern": "!log"`), false},
		"two sources":       {change(`{"action": "a"},`, `{"action": "a", "tree": "`+tree+`"},`), false},
		"no source":         {change(`{"action": "a"},`, `{},`), false},
		"bad digest":        {change(`0/5`, `0`), false},
		"negative":          {change(`"cpus": 2`, `"cpus": -2`), false},
		"no size":           {change(`"1G"`, `"much"`), false},
		"no such mode":      {change(`"mutable"`, `"changing"`), false},
		"bad cache name":    {change(`"name": "mypy", "mode"`, `"name": "My Py", "mode"`), false},
		"no actions":        {`{"schema": 1, "actions": []}`, false},
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := published.Validate(document)
		_, byUs := graphOf(t, c.text)
		if (bySchema == nil) != c.ok || (byUs == nil) != c.ok {
			t.Errorf("%s: the schema says %v, larder says %v", what, bySchema, byUs)
		}
	}
}

// TestTheSchemaHasEveryMember compares the names in the schema with ours.
func TestTheSchemaHasEveryMember(t *testing.T) {
	text, err := os.ReadFile("../../docs/plan.schema.json")
	if err != nil {
		t.Skipf("the documents are not here: %v", err)
	}
	type object struct {
		Properties map[string]any `json:"properties"`
	}
	var document struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	compare := func(what string, ours reflect.Type, theirs object) {
		var names []string
		for _, field := range reflect.VisibleFields(ours) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		var published []string
		for name := range theirs.Properties {
			published = append(published, name)
		}
		slices.Sort(published)
		if !slices.Equal(names, published) {
			t.Errorf("%s has the members %q, the schema has %q", what, names, published)
		}
	}
	compare("a plan", reflect.TypeFor[Plan](), document.object)
	compare("an action", reflect.TypeFor[Action](), document.Defs["action"])
	compare("a source", reflect.TypeFor[Source](), document.Defs["source"])
	compare("a policy", reflect.TypeFor[Policy](), document.Defs["policy"])
	compare("uses", reflect.TypeFor[Uses](), document.Defs["uses"])
	for name, member := range map[string]string{"tree": "Trees", "payload": "Payloads", "cache": "Caches"} {
		field, _ := reflect.TypeFor[Action]().FieldByName(member)
		compare(name, field.Type.Elem(), document.Defs[name])
	}
}

// FuzzParse: whatever the text, there is a plan that can be written and read
// again, or a problem that has a place in the text.
func FuzzParse(f *testing.F) {
	for _, text := range []string{good, "", "{}", "[", `{"actions": [{"nam": 1}]}`, `{"actions": [{"env": {"A": 1}}]} x`, `{"schema":1,"actions":[{"name":"a","from":[{"action":"a"}]}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		var g *Graph
		if err == nil {
			g, err = p.Graph("/base")
		}
		if err == nil {
			if order, err := g.Targets(); err != nil || len(order) > len(g.Nodes) {
				t.Fatalf("%v, %v", order, err)
			}
			written, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(written)
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			if _, err := again.Graph("/base"); err != nil {
				t.Fatalf("what was written is wrong: %v", err)
			}
			return
		}
		var all Problems
		if !errors.As(err, &all) || !errors.Is(err, ErrPlan) || len(all) == 0 {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, one := range all {
			if one.Line < 1 || one.Line > len(lines) || one.Column < 1 || one.Column > 1+len(lines[one.Line-1]) {
				t.Fatalf("%v: there are %d lines", one, len(lines))
			}
		}
	})
}

// BenchmarkGraph reads and checks a plan of ten thousand actions.
func BenchmarkGraph(b *testing.B) {
	p := &Plan{Schema: Version}
	for i := range 10_000 {
		one := Action{Name: fmt.Sprint("//package:target-", i)}
		one.Argv, one.Inputs, one.Outputs = []string{"cc", "-c", "x.c"}, []string{"x.c"}, []string{"x.o"}
		for k := i / 2; k < i && k < i/2+3; k++ {
			one.From = append(one.From, Source{Action: p.Actions[k].Name, Prefix: "in"})
		}
		p.Actions = append(p.Actions, one)
	}
	text, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := graphOf(b, string(text)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestABadMemberIsWhereItStands: each by itself, of a list the entry, and what is
// wrong with two together where the action begins.
func TestABadMemberIsWhereItStands(t *testing.T) {
	for member, want := range map[string]string{
		`"timeout": "9parsec"`:            "3:12: ",
		`"outputs": ["ok", "../up"]`:      "3:19: ",
		`"inputs": ["*.c", "../up", "."]`: "3:19: ",
		`"memory": "x"`:                   "3:11: ",
		`"env": {"A=B": "1", "C": "2"}`:   "3:8: ",
		`"argv": ["x", "a\u0000b", "c"]`:  "3:15: ",
		`"outputs": ["o"], "caches": [{"name": "c", "mode": "mutable", "path": "o/c"}]`: "2:1: ",
	} {
		argv := `, "argv": ["x"]`
		if strings.HasPrefix(member, `"argv"`) {
			argv = ""
		}
		_, err := graphOf(t, "{\"schema\": 1, \"actions\": [\n{\"name\": \"a\""+argv+",\n"+member+"}]}")
		if err == nil || !strings.HasPrefix(err.Error(), "invalid plan\n"+want) || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("%s: said %v; want one problem, at %s", member, err, want)
		}
	}
}
