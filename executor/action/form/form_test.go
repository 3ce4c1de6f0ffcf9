package form

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type inner struct {
	Path string `json:"path"`
	Keep int    `json:"keep,omitempty"`
}

type base struct {
	Argv []string          `json:"argv,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
}

type outer struct {
	base
	Base
	Trees  []inner           `json:"trees"`
	One    *inner            `json:"one"`
	Small  int8              `json:"small"`
	Much   float64           `json:"much"`
	Yes    bool              `json:"yes"`
	Any    any               `json:"any"`
	ByName map[string]*inner `json:"by_name"`
}

// Base is exported, as the decoder wants of what is embedded.
type Base struct {
	Setup string `json:"setup"`
}

// read says what is wrong, each with its offset.
func read(text string) string {
	var into outer
	var all []string
	for _, fault := range Read([]byte(text), &into, "a thing") {
		all = append(all, fmt.Sprintf("%d: %v", fault.Offset, fault.Err))
	}
	return strings.Join(all, "\n")
}

func TestReadSaysAllThatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"argv":["a"],"setup":"s","env":{"A":"b"}}`: "",
		"\n\t {\n}\r ": "",
		`null`:         "",
		`{"trees":null,"one":null,"small":null,"setup":null}`: "",
		`{"any":{"a":1,"a":[2,{"b":"]}"}]},"yes":true}`:       "",
		`{"small":-128,"much":-1.5e3}`:                        "",
		`[]`:                                                  "0: a thing takes an object, not a list",
		` "x"`:                                                "1: a thing takes an object, not a text",
		`{"Argv":[]}`:                                         "1: there is no member Argv; it is written argv",
		`{"hidden":1,"Setup":""}`:                             "1: there is no member hidden\n12: there is no member Setup; it is written setup",
		`{"argv":[],"ar\u0067v":[]}`:                          "11: the member argv is there twice; leave one of them out",
		`{"yes":true,"yes":true,"yes":1}`:                     "12: the member yes is there twice; leave one of them out\n23: the member yes is there twice; leave one of them out\n29: yes takes true or false, not the number 1",
		`{"env":{"A":"","B":"","a":"","A":""}}`:               "29: the member env.A is there twice; leave one of them out",
		`{"env":{"a b":"","a b":""}}`:                         `17: the member env."a b" is there twice; leave one of them out`,
		`{"by_name":{"x":{"path":"","path":""},"x":{"Keep":1}}}`: "27: the member by_name.x.path is there twice; leave one of them out\n38: the member by_name.x is there twice; leave one of them out\n43: there is no member by_name.x.Keep; it is written keep",
		`{"x":{"argv":1,"argv":1},"trees":[{},{"x":1}]}`:         "1: there is no member x\n38: there is no member trees[1].x",
		`{"small":128}`:                                           "9: small takes a whole number, not the number 128",
		`{"small":1e1,"much":1e999,"one":"x"}`:                    "9: small takes a whole number, not the number 1e1\n20: much takes a number, not the number 1e999\n32: one takes an object, not a text",
		`{"argv":["a",["b"],{"c":1}],"trees":{"a":[]},"env":[1]}`: "13: argv[1] takes a text, not a list\n19: argv[2] takes a text, not an object\n36: trees takes a list of objects, not an object\n51: env takes an object, not a list",
		`{"yes":"` + strings.Repeat(`\"]`, 3) + `"}`:              "7: yes takes true or false, not a text",
		`{"small":` + strings.Repeat("9", 50) + `}`:               "9: small takes a whole number, not the number " + strings.Repeat("9", 40) + "...",
		``:                         "0: the text ends before the thing does",
		`{"argv":`:                 "8: the text ends before the thing does",
		`{"argv" 1}`:               "8: this is not JSON: invalid character '1' after object key",
		`{} {}`:                    "3: something follows the JSON object; a thing is one object",
		"{\"argv\":[\"\xff\"]}":    "10: the text is not UTF-8 here",
		strings.Repeat("[", 10001): "10000: this is not JSON: invalid character '[' exceeded max depth",
		`{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: "1: there is no member x",
	} {
		if got := read(text); got != want {
			t.Errorf("%.60s: said\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestPosition(t *testing.T) {
	const text = "\u00e4b\n\nx"
	for offset, want := range map[int][2]int{0: {1, 1}, 2: {1, 2}, 3: {1, 3}, 4: {2, 1}, 5: {3, 1}, 6: {3, 2}, 99: {3, 2}} {
		if line, column := Position([]byte(text), offset); line != want[0] || column != want[1] {
			t.Errorf("offset %d: %d:%d, want %v", offset, line, column, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	got := Places([]byte(`{"a": [1, {"b c": true}], "3":{"\u0061":"x"}}`))
	want := map[string]int{"": 0, "a": 6, "a[0]": 7, "a[1]": 10, `a[1]."b c"`: 18, "3": 30, "3.a": 40}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Places(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := Show("a", 1, "", 2, "x.y"); got != `a[1].""[2]."x.y"` {
		t.Errorf("shown as %s", got)
	}
}

// sketch draws the text of a value, mostly one that fits a type, and notes whether
// it holds one of another type, a member that there is not, or one twice.
type sketch struct {
	t                     *rapid.T
	retyped, odd, doubled bool
}

func (s *sketch) text(of reflect.Type) string {
	if rapid.IntRange(0, 19).Draw(s.t, "wrong") == 0 {
		return s.other(of)
	}
	switch of.Kind() {
	case reflect.Pointer:
		return s.text(of.Elem())
	case reflect.Slice:
		var all []string
		for range rapid.IntRange(0, 3).Draw(s.t, "length") {
			all = append(all, s.text(of.Elem()))
		}
		return "[ " + strings.Join(all, " ,\n") + "]"
	case reflect.Map:
		return s.members(func(string) reflect.Type { return of.Elem() }, []string{"a", "B", "b", "[", `"`, "ä"})
	case reflect.Struct:
		names, types := s.fields(of)
		return s.members(func(name string) reflect.Type { return types[name] }, append(names, "Argv", "nonesuch"))
	case reflect.Bool:
		return "true"
	case reflect.Int8, reflect.Int:
		return "-7"
	case reflect.Float64:
		return "0.5"
	case reflect.String:
		return rapid.SampledFrom([]string{`""`, `"}]"`, `"\\"`, `"\""`, `"ä"`}).Draw(s.t, "string")
	}
	return `{"x":[{},{}],"x":null}`
}

// other is of a type that does not fit.
func (s *sketch) other(of reflect.Type) string {
	fits := map[reflect.Kind]string{reflect.Slice: "[]", reflect.Map: "{}", reflect.Struct: "{}", reflect.Pointer: "{}", reflect.Bool: "false", reflect.Int: "1", reflect.Int8: "1", reflect.Float64: "1", reflect.String: `"x"`}
	all := slices.DeleteFunc([]string{"[]", "{}", "false", "1", `"x"`, "0.25", "1e3"}, func(text string) bool {
		return text == fits[of.Kind()] || of.Kind() == reflect.Float64 && strings.ContainsAny(text, ".e3") && text != "false"
	})
	s.retyped = s.retyped || of.Kind() != reflect.Interface
	return rapid.SampledFrom(all).Draw(s.t, "other")
}

func (s *sketch) fields(of reflect.Type) (names []string, types map[string]reflect.Type) {
	types = map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names, types[name] = append(names, name), field.Type
		}
	}
	return names, types
}

func (s *sketch) members(typeOf func(string) reflect.Type, names []string) string {
	var all []string
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(s.t, "members") {
		name := rapid.SampledFrom(names).Draw(s.t, "name")
		quoted, err := json.Marshal(name)
		if err != nil {
			s.t.Fatal(err)
		}
		value := "[]"
		if of := typeOf(name); of != nil {
			value = s.text(of)
			s.doubled = s.doubled || seen[name]
		} else {
			s.odd = true
		}
		seen[name] = true
		all = append(all, string(quoted)+"\t: "+value)
	}
	return "{ " + strings.Join(all, " ,") + "}"
}

// TestReadIsTheDecoderAndMore: what the decoder refuses for its types is refused,
// what is read is what the decoder reads, and of the rest the members that there are
// not and those that are there twice are refused, and nothing else.
func TestReadIsTheDecoderAndMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sketch{t: t}
		text := []byte(s.text(reflect.TypeFor[outer]()))
		var plain, into outer
		err := json.Unmarshal(text, &plain)
		faults := Read(text, &into, "a thing")
		var wrongType *json.UnmarshalTypeError
		said := fmt.Sprint(faults)
		if takes := strings.Contains(said, " takes "); takes != s.retyped || errors.As(err, &wrongType) && !takes {
			t.Fatalf("%s: the decoder says %v, here it is %s", text, err, said)
		}
		if odd := strings.Contains(said, "no member"); odd != s.odd {
			t.Fatalf("%s: %s; odd: %v", text, said, s.odd)
		}
		if doubled := strings.Contains(said, "twice"); doubled != s.doubled {
			t.Fatalf("%s: %s; doubled: %v", text, said, s.doubled)
		}
		if len(faults) == 0 && !reflect.DeepEqual(plain, into) {
			t.Fatalf("%s: read %+v, the decoder %+v", text, into, plain)
		}
		if !slices.IsSortedFunc(faults, func(a, b Fault) int { return a.Offset - b.Offset }) {
			t.Fatalf("%s: out of order: %s", text, said)
		}
	})
}

// FuzzRead: any text is read or has a fault that lies in it, and JSON that the
// decoder refuses is never read.
func FuzzRead(f *testing.F) {
	for _, text := range []string{`{"argv":["a","\u0061\""],"env":{"A":"b","A":""}}`, "{}", "[[1,{}]]", `{"yes":"\\"}`, "{\"\xff\":1}", "1 2", `{"trees":[{"path":"x","keep":1e5}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var into, plain outer
		faults := Read(text, &into, "a thing")
		for _, fault := range faults {
			if fault.Offset < 0 || fault.Offset > len(text) || fault.Err == nil {
				t.Fatalf("%q: %+v", text, fault)
			}
		}
		if err := json.Unmarshal(text, &plain); err != nil && len(faults) == 0 {
			t.Fatalf("%q was read: %v", text, err)
		}
		if json.Valid(text) {
			Places(text)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"trees":[`)
	for i := range 20000 {
		fmt.Fprintf(&text, `%s{"path":"some/where/%d","keep":%d}`, strings.Repeat(",", min(i, 1)), i, rand.IntN(9))
	}
	text.WriteString("]}")
	for name, read := range map[string]func([]byte, any) error{
		"decoder": json.Unmarshal,
		"read": func(text []byte, into any) error {
			if faults := Read(text, into, "a thing"); len(faults) > 0 {
				return faults[0].Err
			}
			return nil
		},
	} {
		b.Run(name+strconv.Itoa(text.Len()), func(b *testing.B) {
			for b.Loop() {
				if err := read([]byte(text.String()), new(outer)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The decoder puts another letter in the place of half of a pair.
func TestHalfOfAPairIsRefused(t *testing.T) {
	for text, want := range map[string]int{
		`{"a":"\ud800"}`:             5,
		`{"a":"x\udfffy"}`:           5,
		`{"a":"\ud83d\ude00"}`:       -1, // a pair
		`{"a":"\ufffd"}`:             -1, // written so
		"{\"a\":\"\uFFFD \\u0041\"}": -1,
		`{"a":"\\ud800"}`:            -1, // a backslash, and letters
	} {
		var into struct {
			A string `json:"a"`
		}
		faults := Read([]byte(text), &into, "a text")
		switch {
		case want < 0 && len(faults) > 0:
			t.Errorf("%s: %v", text, faults)
		case want >= 0 && (len(faults) != 1 || faults[0].Offset != want):
			t.Errorf("%s: %v, want one fault at %d", text, faults, want)
		}
	}
}

// What is wrong a thousand times is told a hundred times, so that a long text takes no
// longer than its length.
func TestFaultsAreBounded(t *testing.T) {
	text := "{" + strings.TrimSuffix(strings.Repeat(`"b":1,`, 1000), ",") + "}"
	var into struct {
		A string `json:"a"`
	}
	if faults := Read([]byte(text), &into, "a text"); len(faults) != 100 {
		t.Errorf("%d faults", len(faults))
	}
}
