package compare

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"larder/caches"
	"larder/digest"
	"larder/executor/action"
)

// made is an action with what its key is made of beside.
type made struct {
	action.Action
	root       digest.Digest
	properties []action.Property
}

func of(text string) digest.Digest { return digest.Of(digest.BLAKE3, []byte(text)) }

// decode takes the key of m apart as it is kept.
func (m made) decode(t interface{ Fatal(...any) }) Action {
	key := m.Action.Key(m.root, m.properties)
	message, command := key.Kept()
	decoded, err := Decode(m.root.Function(), message, command)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// set puts a property in the place of the one of that name.
func (m *made) set(name, value string) {
	m.properties = slices.DeleteFunc(slices.Clone(m.properties), func(p action.Property) bool { return p.Name == name })
	m.properties = append(m.properties, action.Property{Name: name, Value: value})
}

// drawn is any action.
func drawn(t *rapid.T) made {
	text := rapid.StringN(0, 6, -1)
	m := made{Action: action.Action{Argv: rapid.SliceOfN(text, 1, 4).Draw(t, "argv"), Network: action.NetworkNone}, root: of(text.Draw(t, "root"))}
	names := rapid.SliceOfNDistinct(rapid.StringMatching("[A-Z]{1,4}(_TOKEN)?"), 0, 4, rapid.ID[string]).Draw(t, "names")
	slices.Sort(names)
	for _, name := range names {
		m.Env = append(m.Env, action.Variable{Name: name, Value: text.Draw(t, name)})
	}
	for _, name := range []string{"larder-host", "larder-program", "larder-sandbox", "larder-path", "OSFamily"} {
		if rapid.Bool().Draw(t, name) {
			m.set(name, text.Draw(t, name+" is"))
		}
	}
	if rapid.Bool().Draw(t, "tool") {
		m.set("larder-tool", "/opt/sdk "+text.Draw(t, "state"))
	}
	return m
}

// edits change one component each.
func edits() map[Component]func(*made) {
	output, _ := action.ParsePath("output", "a new output")
	place, _ := action.ParsePath("cache", "place")
	name, _ := caches.ParseName("mypy")
	set := func(name string) func(*made) { return func(m *made) { m.set(name, "some new value") } }
	return map[Component]func(*made){
		Argv:    func(m *made) { m.Argv = append(slices.Clone(m.Argv), "") },
		Env:     func(m *made) { m.Env = append(slices.Clone(m.Env), action.Variable{Name: "a_new_one"}) },
		Inputs:  func(m *made) { m.root = of("another root, longer than any that is drawn") },
		Outputs: func(m *made) { m.Outputs = append(m.Outputs, output) },
		Cache: func(m *made) {
			m.Caches = append(m.Caches, action.Cache{Name: name, Mode: caches.Mutable, Path: place})
		},
		Limit:    func(m *made) { m.Timeout += time.Second },
		Network:  func(m *made) { m.Network = action.NetworkHost },
		HostView: func(m *made) { m.Host = action.HostNone },
		Userns:   func(m *made) { m.Userns = true },
		Setup:    func(m *made) { m.Setup = "true" },
		Teardown: func(m *made) { m.Teardown = "true" },
		Strict:   func(m *made) { m.Strict = true },
		Sandbox:  set("larder-sandbox"), Payload: set("larder-payload"), Platform: set("OSFamily"), Program: set("larder-program"),
		Path: set("larder-path"), Host: set("larder-host"),
		Tool: func(m *made) { m.set("larder-tool", "/opt/sdk another state") },
	}
}

func names(differences []Difference) string {
	var words []string
	for _, d := range differences {
		words = append(words, string(d.Component))
	}
	return strings.Join(words, ", ")
}

func TestOneEditIsOneComponent(t *testing.T) {
	all := edits()
	for _, component := range Components() {
		edit := all[component]
		if edit == nil {
			continue // no edit of an action leads there
		}
		t.Run(string(component), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				before := drawn(t)
				after := before
				edit(&after)
				if got := names(Actions(before.decode(t), after.decode(t))); got != string(component) {
					t.Fatalf("said %q", got)
				}
			})
		})
	}
}

// TestDifferencesAreOrderedAndSymmetric: of many edits each is told once, in the
// order of the components, and the other way around with its sides exchanged.
func TestDifferencesAreOrderedAndSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawn(t)
		after := before
		var want []string
		for _, component := range Components() {
			if edit := edits()[component]; edit != nil && rapid.Bool().Draw(t, string(component)) {
				edit(&after)
				want = append(want, string(component))
			}
		}
		a, b := before.decode(t), after.decode(t)
		there, back := Actions(a, b), Actions(b, a)
		if got := names(there); got != strings.Join(want, ", ") {
			t.Fatalf("said %q, want %q", got, want)
		}
		for i, d := range there {
			d.Before, d.After = d.After, d.Before
			if text := strings.Join(back[i].Lines(), "\n"); text != strings.Join(d.Lines(), "\n") {
				t.Fatalf("one way\n%s\nthe other\n%s", strings.Join(d.Lines(), "\n"), text)
			}
		}
	})
}

func TestAnActionIsLikeItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawn(t)
		if found := Actions(m.decode(t), m.decode(t)); len(found) != 0 {
			t.Fatalf("%+v", found)
		}
	})
}

// TestSecretsAreNotTold: neither what is kept nor what is said has them.
func TestSecretsAreNotTold(t *testing.T) {
	for _, name := range []string{"GITHUB_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "npm_config__auth", "SIGNING_KEY"} {
		a := made{Action: action.Action{Argv: []string{"x"}, Env: []action.Variable{{Name: name, Value: "hunter1"}, {Name: "PLAIN", Value: "p"}}}, root: of("")}
		b := a
		b.Env = []action.Variable{{Name: name, Value: "hunter2"}, {Name: "PLAIN", Value: "p"}}
		key := a.Action.Key(a.root, nil)
		_, command := key.Kept()
		if strings.Contains(string(command), "hunter") || !strings.Contains(string(command), "PLAIN") {
			t.Errorf("%s: kept is %q", name, command)
		}
		found := Actions(a.decode(t), b.decode(t))
		if said := fmt.Sprint(found[0].Lines(), found[0].Short(), *found[0].Before, *found[0].After); len(found) != 1 || !found[0].Secret || strings.Contains(said, "hunter") || strings.Contains(said, "digest") {
			t.Errorf("%s: %s", name, said)
		}
		raw, err := Decode(digest.BLAKE3, key.Action, key.Command) // by somebody who does not take care
		if err != nil {
			t.Fatal(err)
		}
		if said := fmt.Sprint(Actions(raw, b.decode(t))[0].Lines()); strings.Contains(said, "hunter") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if action.IsSecretName("PATH") || action.IsSecretName("LANG") || action.IsSecretName("KEYBOARD") {
		t.Error("ordinary variables are taken for secrets")
	}
}
