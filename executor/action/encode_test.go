package action

import (
	"bytes"
	"strings"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"larder/digest"
)

// generatedKey makes the two messages with the generated code.
func generatedKey(t testing.TB, a *Action, root digest.Digest, properties []Property) (action, command []byte) {
	platform := &repb.Platform{}
	for _, property := range properties {
		platform.Properties = append(platform.Properties, &repb.Platform_Property{Name: property.Name, Value: property.Value})
	}
	message := &repb.Command{Arguments: a.Argv, Platform: platform}
	for _, variable := range a.Env {
		message.EnvironmentVariables = append(message.EnvironmentVariables, &repb.Command_EnvironmentVariable{Name: variable.Name, Value: variable.Value})
	}
	for _, output := range a.Outputs {
		message.OutputPaths = append(message.OutputPaths, output.String())
	}
	command = marshal(t, message)
	whole := &repb.Action{CommandDigest: generatedDigest(digest.Of(root.Function(), command)), InputRootDigest: generatedDigest(root), Platform: platform}
	if a.Timeout > 0 {
		whole.Timeout = durationpb.New(a.Timeout)
	}
	return marshal(t, whole), command
}

func generatedDigest(d digest.Digest) *repb.Digest {
	return &repb.Digest{Hash: d.Hash(), SizeBytes: d.Size()}
}

func marshal(t testing.TB, message proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// anyAction draws actions, the empty strings and odd characters among them.
func anyAction(t *rapid.T) *Action {
	text := rapid.StringN(0, 8, -1)
	a := &Action{
		Argv: rapid.SliceOfN(text, 1, 5).Draw(t, "argv"), Network: rapid.SampledFrom([]Network{NetworkNone, NetworkHost}).Draw(t, "network"),
		Timeout: time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "timeout")), Strict: rapid.Bool().Draw(t, "strict"),
		Setup: text.Draw(t, "setup"), Teardown: text.Draw(t, "teardown"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "variables") {
		a.Env = append(a.Env, Variable{text.Draw(t, "name"), text.Draw(t, "value")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "outputs") {
		if path, err := ParsePath("output", text.Draw(t, "output")); err == nil {
			a.Outputs = append(a.Outputs, path)
		}
	}
	return a
}

func TestKeyIsTheGeneratedMessages(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := anyAction(r)
		fn := rapid.SampledFrom([]digest.Function{digest.BLAKE3, digest.SHA256}).Draw(r, "function")
		root := digest.Of(fn, rapid.SliceOf(rapid.Byte()).Draw(r, "root"))
		key := a.Key(root, []Property{{"larder-host", rapid.String().Draw(r, "host")}})
		action, command := generatedKey(t, a, root, key.Properties)
		if !bytes.Equal(key.Command, command) {
			r.Fatalf("command:\n%x\ngenerated:\n%x", key.Command, command)
		}
		if !bytes.Equal(key.Action, action) {
			r.Fatalf("action:\n%x\ngenerated:\n%x", key.Action, action)
		}
		if key.Digest != digest.Of(fn, action) {
			r.Fatalf("key %s is not the digest of its action", key.Digest)
		}
	})
}

func TestKeyIsReadAsItWasMeant(t *testing.T) {
	a := checked(t, sample())
	key := a.Key(sampleRoot(), []Property{{"larder-host", "h"}})
	var command repb.Command
	if err := proto.Unmarshal(key.Command, &command); err != nil {
		t.Fatal(err)
	}
	want := &repb.Command{
		Arguments: []string{"tool", "x"}, OutputPaths: []string{"out"},
		EnvironmentVariables: []*repb.Command_EnvironmentVariable{{Name: "A", Value: "1"}, {Name: "B", Value: ""}},
		Platform: &repb.Platform{Properties: []*repb.Platform_Property{
			{Name: "larder-cache", Value: `append-only pip p ""`}, {Name: "larder-cache", Value: `mutable mypy c "k"`},
			{Name: "larder-host", Value: "h"}, {Name: "larder-key", Value: "1"}, {Name: "larder-network", Value: "none"},
		}},
	}
	if diff := cmp.Diff(want, &command, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func sample() Spec {
	return Spec{
		Argv: []string{"tool", "x"}, Env: map[string]string{"B": "", "A": "1"}, Root: "/src", Outputs: []string{"out"},
		Caches: []CacheSpec{{Name: "mypy", Mode: "mutable", Path: "c", Key: "k"}, {Name: "pip", Mode: "append-only", Path: "p"}},
	}
}

func sampleRoot() digest.Digest { return digest.Of(digest.BLAKE3, []byte("root")) }

func checked(t testing.TB, spec Spec) *Action {
	t.Helper()
	a, err := spec.Validate("/base")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// keyChanges are changes to the sample that make it another action.
func keyChanges() map[string]func(*Spec) {
	return map[string]func(*Spec){
		"an argument":         func(s *Spec) { s.Argv[1] = "y" },
		"one more argument":   func(s *Spec) { s.Argv = append(s.Argv, "") },
		"arguments joined":    func(s *Spec) { s.Argv = []string{"tool x"} },
		"a variable's value":  func(s *Spec) { s.Env["A"] = "2" },
		"a variable's name":   func(s *Spec) { delete(s.Env, "B"); s.Env["C"] = "" },
		"a variable gone":     func(s *Spec) { delete(s.Env, "B") },
		"an output":           func(s *Spec) { s.Outputs = []string{"out2"} },
		"one more output":     func(s *Spec) { s.Outputs = append(s.Outputs, "z") },
		"set-up":              func(s *Spec) { s.Setup = "true" },
		"tear-down":           func(s *Spec) { s.Teardown = "true" },
		"view of the host":    func(s *Spec) { s.Host = "none" },
		"user namespaces":     func(s *Spec) { s.Userns = true },
		"network":             func(s *Spec) { s.Network = "host" },
		"time limit":          func(s *Spec) { s.Timeout = "5m" },
		"memory limit":        func(s *Spec) { s.Memory = "5M" },
		"limit of processes":  func(s *Spec) { s.Pids = 5 },
		"limit of CPU time":   func(s *Spec) { s.CPUTime = "5m" },
		"limit of output":     func(s *Spec) { s.OutputLimit = "5M" },
		"strict":              func(s *Spec) { s.Strict = true },
		"a cache's name":      func(s *Spec) { s.Caches[0].Name = "other" },
		"a cache's mode":      func(s *Spec) { s.Caches[0].Mode = "append-only" },
		"a cache's path":      func(s *Spec) { s.Caches[0].Path = "c2" },
		"a cache's key":       func(s *Spec) { s.Caches[0].Key = "k2" },
		"a cache shared live": func(s *Spec) { s.Caches[0].Share = "live" },
		"a cache gone":        func(s *Spec) { s.Caches = s.Caches[:1] },
	}
}

func TestKeyChangesWithEachPart(t *testing.T) {
	seen := map[digest.Digest]string{checked(t, sample()).Key(sampleRoot(), nil).Digest: "nothing"}
	note := func(what string, key Key) {
		if other, ok := seen[key.Digest]; ok {
			t.Errorf("changing %s gives the same key as changing %s", what, other)
		}
		seen[key.Digest] = what
	}
	for what, change := range keyChanges() {
		spec := sample()
		change(&spec)
		note(what, checked(t, spec).Key(sampleRoot(), nil))
	}
	a := checked(t, sample())
	note("the inputs", a.Key(digest.Of(digest.BLAKE3, []byte("other")), nil))
	note("the digest function", a.Key(digest.Of(digest.SHA256, []byte("root")), nil))
	note("a property", a.Key(sampleRoot(), []Property{{"larder-host", "1"}}))
	note("a property's value", a.Key(sampleRoot(), []Property{{"larder-host", "2"}}))
}

func TestKeyStaysWithWhatChangesNoResult(t *testing.T) {
	want := checked(t, sample()).Key(sampleRoot(), nil).Digest
	for what, change := range map[string]func(*Spec){
		"the root":           func(s *Spec) { s.Root = "/elsewhere" },
		"the tools' paths":   func(s *Spec) { s.Tools = []string{"/venv"} }, // their state is a property
		"input patterns":     func(s *Spec) { s.Inputs = []string{"."} },    // their tree is the root digest
		"publish policy":     func(s *Spec) { s.Caches[0].Publish = "0,1" },
		"conflict policy":    func(s *Spec) { s.Caches[0].OnConflict = "discard" },
		"scope":              func(s *Spec) { s.Caches[0].Scope = "global" },
		"a lock":             func(s *Spec) { s.Caches[0].Lock = true },
		"units":              func(s *Spec) { s.Caches[1].Unit = "*" },
		"generations kept":   func(s *Spec) { s.Caches[0].Keep = 9 },
		"observed paths":     func(s *Spec) { s.Observe = []string{"/etc/hosts"} },
		"order of caches":    func(s *Spec) { s.Caches[0], s.Caches[1] = s.Caches[1], s.Caches[0] },
		"spelling of a path": func(s *Spec) { s.Outputs = []string{"./out/"} },
	} {
		spec := sample()
		change(&spec)
		if got := checked(t, spec).Key(sampleRoot(), nil).Digest; got != want {
			t.Errorf("changing %s changed the key", what)
		}
	}
}

func TestKeySortsProperties(t *testing.T) {
	a := checked(t, minimal())
	one := a.Key(sampleRoot(), []Property{{"z", "2"}, {"z", "1"}, {"a", "3"}})
	two := a.Key(sampleRoot(), []Property{{"a", "3"}, {"z", "1"}, {"z", "2"}})
	if one.Digest != two.Digest {
		t.Error("the order in which properties were found is in the key")
	}
	if first := one.Properties[0].Name; !strings.HasPrefix(first, "a") {
		t.Errorf("the first property is %s", first)
	}
}
