package local_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"larder/caches"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
)

// sameResults are the tests that state what comes of an action and nothing of what
// it can reach.
const sameResults = "^Test(CachesAreNotInputs|PublishPolicies|NothingIsPublished.*|StrictFailsTheAction|ScopesDoNotMix|" +
	"RunsAtTheSameTimeMerge|AKilledLarderLeavesNothingHalfDone|AKeptSandbox.*|EndlessOutput.*|Outputs.*|OutputOfTheRun.*|Statuses|" +
	"SignalsArePassedOn.*|SetupAndTeardown|CommandsThatCannotBeExecuted|BothStreams.*|AHitGives.*|StandardInputDecides.*|" +
	"ATerminalThatIsRead.*|DaemonsUnderLimits.*|AReaderThatTakesNothing.*)$"

func TestADirectoryGivesTheSameResults(t *testing.T) {
	if os.Getenv(sandboxVariable) != "" {
		t.Skip("this is such a run")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-test.timeout="+timeLeft(t).String(), "-test.short", "-test.v", "-test.run="+sameResults)
	command.Env = append(os.Environ(), sandboxVariable+"="+string(local.KindDirectory), "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	if passed := strings.Count(string(out), "\n--- PASS"); err != nil || passed < 20 {
		t.Fatalf("%d tests pass in a directory: %v\n%s", passed, err, out)
	}
}

// newDirectory is a bench whose sandboxes are directories.
func newDirectory(t *testing.T) *bench {
	t.Helper()
	dir := tempDir(t)
	b, err := newBench(filepath.Join(dir, "store"), filepath.Join(dir, "root"), false)
	if err != nil {
		t.Fatal(err)
	}
	b.config.Sandbox = local.KindDirectory
	b.wire()
	put(t, filepath.Join(b.root, ".git", "HEAD"), "ref")
	return b
}

func TestADirectoryKeepsItsPath(t *testing.T) {
	b := newDirectory(t)
	first := b.sh(t, "pwd; cd $HOME; pwd; env | grep TMPDIR")
	if again := b.sh(t, "pwd; cd $HOME; pwd; env | grep TMPDIR"); again.stdout != first.stdout || strings.Contains(first.stdout, "/build/") {
		t.Errorf("first %q, then %q", first.stdout, again.stdout)
	}
	if first.Sandbox != "directory" || len(first.Warnings) > 0 {
		t.Errorf("sandbox %s, warnings %q", first.Sandbox, first.Warnings)
	}
	b.wantNothingLeft(t)
}

// What is published is never modified, though a command can put other names of its
// files anywhere.
func TestOtherNamesOfFilesAreNoWayIntoTheStore(t *testing.T) {
	b := newDirectory(t)
	out := filepath.Join(filepath.Dir(b.root), "outside")
	script := "mkdir " + out + "; echo good >cache/a; ln cache/a " + out + "/a; echo good >o; ln o " + out + "/o"
	b.sh(t, script, mutable(), outputs("o")).want(t, 0, "")
	for _, name := range []string{"a", "o"} {
		put(t, filepath.Join(out, name), "bad")
	}
	b.sh(t, "cat cache/a", mutable()).want(t, 0, "good")
	if text := content(t, filepath.Join(b.root, "o")); text != "good\n" {
		t.Errorf("the output is %q", text)
	}
	r := b.run(t, action.Spec{Argv: []string{"cat", "cache/a"}, Caches: []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache"}}}, executor.Request{})
	r.want(t, 0, "good")
}

// A command that puts a link in the place of a cache, or on the way to it, gives
// nothing of the host away.
func TestLinksInThePlaceOfACache(t *testing.T) {
	for name, script := range map[string]string{
		"at it": "rm -r in/cache; ln -s $HOST in/cache", "on the way": "mv in x; ln -s $HOST in", "a file": "rm -r in/cache; echo >in/cache",
	} {
		t.Run(name, func(t *testing.T) {
			b := newDirectory(t)
			host := filepath.Join(filepath.Dir(b.root), "host")
			put(t, filepath.Join(host, "cache", "secret"), "secret")
			put(t, filepath.Join(host, "secret"), "secret")
			spec := func(s *action.Spec) {
				s.Env = map[string]string{"HOST": host}
				s.Caches = []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "in/cache"}}
			}
			b.sh(t, "echo mine >in/cache/a", spec).want(t, 0, "")
			r := b.sh(t, script, spec)
			if r.err != nil || len(r.Caches) != 1 || r.Caches[0].Removed != 1 || r.Caches[0].Added != 0 {
				t.Errorf("error %v, caches %+v", r.err, r.Caches)
			}
			if text := content(t, filepath.Join(host, "cache", "secret")); text != "secret" {
				t.Errorf("the host's file is %q", text)
			}
			b.wantNothingLeft(t)
		})
	}
}

// Inputs cannot lead a cache out of the working directory.
func TestAnInputThatIsALinkOnTheWayToACache(t *testing.T) {
	b := newDirectory(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(b.root, "in")); err != nil {
		t.Fatal(err)
	}
	spec := func(s *action.Spec) {
		s.Caches = []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "in/cache"}}
	}
	b.sh(t, "true", spec).wantError(t, "/build/in/cache", "symbolic link")
	b.wantNothingLeft(t)
}

func TestInputsAreCopies(t *testing.T) {
	b := newDirectory(t)
	put(t, filepath.Join(b.root, "a"), "input")
	for range 2 {
		b.sh(t, "cat a; echo changed >a", outputs("none/such")).wantError(t, "none/such")
	}
	if text := content(t, filepath.Join(b.root, "a")); text != "input" {
		t.Errorf("the input is %q", text)
	}
	b.sh(t, "cat a").want(t, 0, "input")
}

func TestGuaranteesAreNotLeftOut(t *testing.T) {
	b := newDirectory(t)
	for _, spec := range []func(*action.Spec){
		func(s *action.Spec) { s.Network = "none" }, func(s *action.Spec) { s.Host = "none" },
	} {
		r := b.sh(t, "echo ran", spec)
		if !errors.Is(r.err, local.ErrGuarantee) || r.stdout != "" || r.Sandbox == "" {
			t.Errorf("%v, output %q, sandbox %q", r.err, r.stdout, r.Sandbox)
		}
	}
	b.sh(t, "true", func(s *action.Spec) { s.Network = "host" }).want(t, 0, "")
}

// Answers of the two kinds are kept under keys of their own.
func TestKeysOfTheTwoKindsDiffer(t *testing.T) {
	b := newTestBench(t)
	policy := executor.Request{Results: executor.ResultPolicy{Read: true, Write: true}}
	spec := action.Spec{Argv: []string{"sh", "-c", "pwd"}}
	keys := map[string]bool{}
	for _, kind := range []local.Kind{local.KindNamespaces, local.KindDirectory} {
		b.config.Sandbox = kind
		b.wire()
		for _, cached := range []string{"no", "local"} {
			r := b.run(t, spec, policy)
			if r.err != nil || r.Cached != cached || r.Sandbox != string(kind) {
				t.Errorf("%s: cached %s, sandbox %s, %v", kind, r.Cached, r.Sandbox, r.err)
			}
			keys[r.Key] = true
		}
	}
	if len(keys) != 2 {
		t.Errorf("keys: %v", keys)
	}
}

func TestParseKind(t *testing.T) {
	for text, want := range map[string]local.Kind{"": local.KindAuto, "auto": local.KindAuto, "namespaces": local.KindNamespaces, "directory": local.KindDirectory} {
		if kind, err := local.ParseKind(text); kind != want || err != nil {
			t.Errorf("%q is %q, %v", text, kind, err)
		}
	}
	if _, err := local.ParseKind("vm"); !errors.Is(err, caches.ErrInvalid) {
		t.Error(err)
	}
}
