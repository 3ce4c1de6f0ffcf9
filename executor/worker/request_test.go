package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestLinesOfAnyKind(t *testing.T) {
	const text = "one\n\n \t\n two \r\n123456789\n1234567890\n12345678901\nthree\nlast"
	for name, from := range map[string]io.Reader{"at once": strings.NewReader(text), "by bytes": iotest.OneByteReader(strings.NewReader(text))} {
		lines := newLines(from, 10)
		for _, want := range []struct {
			number int
			text   string
		}{{1, "one"}, {4, " two \r"}, {5, "123456789"}, {6, "1234567890"}, {7, "!1234567890"}, {8, "three"}, {9, "last"}} {
			got, err := lines.next()
			if strings.HasPrefix(want.text, "!") != errors.Is(err, errLine) || string(got) != strings.TrimPrefix(want.text, "!") || lines.number != want.number {
				t.Errorf("%s: line %d is %q, %v; want %+v", name, lines.number, got, err, want)
			}
		}
		if got, err := lines.next(); err != io.EOF {
			t.Errorf("%s: after the end there is %q, %v", name, got, err)
		}
	}
}

// endless is a line without an end.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(e.left, len(p))
	e.left -= n
	return n, nil
}

// TestALongLineTakesNoMemory: it is read to its end, and not kept.
func TestALongLineTakesNoMemory(t *testing.T) {
	lines := newLines(&endless{1 << 30}, 1000)
	text, err := lines.next()
	if len(text) != 1000 || cap(lines.kept) > 4096 || !strings.Contains(fmt.Sprint(err), "more than 1000 bytes") {
		t.Errorf("kept %d bytes in room for %d: %v", len(text), cap(lines.kept), err)
	}
}

func TestLinesThatCannotBeRead(t *testing.T) {
	broken := errors.New("broken")
	lines := newLines(io.MultiReader(strings.NewReader("whole\nhalf"), iotest.ErrReader(broken)), 10)
	if text, err := lines.next(); string(text) != "whole" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := lines.next(); !errors.Is(err, broken) {
		t.Errorf("said %v", err)
	}
}

// wrongLines are lines with what is said of them.
func wrongLines() map[string]string {
	return map[string]string{
		`{"id":"a"}`:                                "no spec",
		`{"spec":{}}`:                               "no id",
		`{}`:                                        "no id",
		`null`:                                      "no id",
		`[]`:                                        "at column 1: a request takes an object, not a list",
		`7`:                                         "at column 1: a request takes an object, not the number 7",
		`{"id":7,"spec":{}}`:                        "at column 7: id takes a text, not the number 7",
		`{"id":"a","spec":{"argv":"x"}}`:            "at column 26: spec.argv takes a list of texts, not a text",
		`{"id":"a","spec":{"argw":[]}}`:             "at column 19: there is no member spec.argw;",
		`{"ID":"a","spec":{"Argv":[]}}`:             "at column 2: there is no member ID; it is written id; at column 19: there is no member spec.Argv; it is written argv;",
		`{"id":"a","spec":{},"more":1}`:             "at column 21: there is no member more;",
		`{"id":"a","spec":{}} x`:                    "something follows",
		`{"id":"a","spec":{}}{}`:                    "something follows",
		`{"id":"a","spec":{}`:                       "at column 20: the text ends before the request does",
		`nonsense`:                                  "at column 2: this is not JSON",
		"{\"id\":\"a\x00\",\"spec\":{}}":            "at column 9: this is not JSON",
		"{\"id\":\"\xff\",\"spec\":{}}":             "not UTF-8",
		`{"schema":2,"id":"a","spec":{}}`:           "speaks schema 1",
		`{"id":"a","spec":{},"inline":-1}`:          "inline -1",
		`{"id":"a","spec":{},"inline":1048577}`:     "from 0 to 1048576",
		`{"id":"a","cancel":"a"}`:                   "no other members",
		`{"spec":{},"cancel":"a"}`:                  "no other members",
		`{"preset":"mypy","cancel":"a"}`:            "no other members",
		`{"id":"a","spec":{},"preset":7}`:           "at column 30: preset takes a text, not the number 7",
		`{"id":"` + strings.Repeat("a", 257) + `"}`: "257 bytes",
		strings.Repeat("[", 1<<19):                  "",
		`{"id":"a","spec":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}": "exceeded max depth",
	}
}

// doubledLines are wrong too; a schema cannot say it, since a value has no member
// twice.
func doubledLines() map[string]string {
	return map[string]string{
		`{"id":"a","spec":{"argv":[],"argv":[]}}`:        "at column 29: the member spec.argv is there twice",
		`{"id":"a","spec":{},"id":"b"}`:                  "at column 21: the member id is there twice",
		`{"id":"a","spec":{"env":{"A":"","\u0041":""}}}`: "at column 33: the member spec.env.A is there twice",
	}
}

func rightLines() []string {
	return []string{
		`{"id":"a","spec":{}}`,
		`{"schema":1,"id":"a\nb","spec":{"argv":["x"],"root":"/r","env":{"A":"b"}},"results":"off","output_to":"none","inline":1048576,"events":true}`,
		`{"cancel":"a"}`, `{"cancel":"a","schema":1}`,
		`{"id":"a","spec":{"argv":["mypy","src"]},"preset":"mypy"}`,
	}
}

func TestParse(t *testing.T) {
	wrong := wrongLines()
	maps.Copy(wrong, doubledLines())
	for line, want := range wrong {
		if got, err := Parse([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %+v, %v; want %s", line, got, err, want)
		}
	}
	for _, line := range rightLines() {
		if _, err := Parse([]byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	got, err := Parse([]byte(rightLines()[1]))
	if err != nil || got.ID != "a\nb" || got.Spec.Root != "/r" || got.Results != "off" || got.OutputTo != "none" || got.Inline != MostInline || !got.Events {
		t.Errorf("read %+v, %v", got, err)
	}
}

// TestTheSchemaSaysTheSame of each of those lines that is JSON.
func TestTheSchemaSaysTheSame(t *testing.T) {
	schema := compile(t, "#/$defs/request")
	for line, said := range wrongLines() {
		var value any
		if json.Unmarshal([]byte(line), &value) == nil && utf8.ValidString(line) && schema.Validate(value) == nil {
			t.Errorf("the schema allows %.80s, of which Parse says: %s", line, said)
		}
	}
	for _, line := range rightLines() {
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// compile reads a part of docs/worker.schema.json.
func compile(t *testing.T, part string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"plan", "worker"} {
		file, err := os.Open(filepath.Join("..", "..", "docs", name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource("urn:larder:"+name+":1", value); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("urn:larder:worker:1" + part)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestTheIDOfAWrongLine(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":"a","spec":7}`:              "a",
		`{"spec":{"id":"b"},"id":"a"} x`:   "a",
		`{"id":"a","spec":{"argv":["cut o`: "a",
		`{"spec":{"id":"b"`:                "",
		`{"id":7}`:                         "",
		`{"id":"a","spec":7,"id":"b"}`:     "",
		`{"id":"a","id":"a"`:               "",
		`{"id":"cut o`:                     "",
		`["id","a"]`:                       "",
		"{\"id\":\"\xff\"}":                "",
		``:                                 "",
	} {
		if got := idOf([]byte(line)); got != want {
			t.Errorf("%s: id %q, want %q", line, got, want)
		}
	}
}

// FuzzParse: what is taken can be written down and read again, and is what it was;
// what is refused has a reason.
func FuzzParse(f *testing.F) {
	for line := range wrongLines() {
		if len(line) < 1000 { // long ones are slow to vary
			f.Add([]byte(line))
		}
	}
	for _, line := range rightLines() {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		id := idOf(line)
		if !utf8.ValidString(id) || len(id) > MostID {
			t.Errorf("id %q", id)
		}
		got, err := Parse(line)
		if err != nil {
			if err.Error() == "" {
				t.Error("no reason is given")
			}
			return
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(text) {
			t.Errorf("%s became %s", text, twice)
		}
	})
}

// FuzzLines: all lines of any text come, each in its bounds and with its number.
func FuzzLines(f *testing.F) {
	f.Add("a\n\nbcdefghijk\n", uint8(4))
	f.Add("\n", uint8(0))
	f.Fuzz(func(t *testing.T, text string, most uint8) {
		all := strings.Split(text, "\n")
		lines := newLines(strings.NewReader(text), int(most))
		for {
			got, err := lines.next()
			if err == io.EOF {
				break
			}
			want := all[lines.number-1]
			if errors.Is(err, errLine) != (len(want) > int(most)) || string(got) != want[:min(len(want), int(most))] {
				t.Fatalf("line %d is %q, %v; want %q", lines.number, got, err, want)
			}
		}
		if lines.number < len(all) {
			t.Errorf("%d of %d lines came", lines.number, len(all))
		}
	})
}
