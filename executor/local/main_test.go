package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/sandbox"
)

// helperVariable makes the test binary run one action in the store that it
// names instead of running tests.
const helperVariable = "LOCAL_TEST_STORE"

// sandboxVariable names the kind of sandbox that tests run in which do not say it.
const sandboxVariable = "LOCAL_TEST_SANDBOX"

func TestMain(m *testing.M) {
	store := os.Getenv(helperVariable)
	if store == "" {
		layertest.Main(m.Run)
	}
	if err := runInHelper(store, os.Args[1], os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// runInHelper runs a shell command in a root, on the files of the process, and
// says whether the answer was a kept one.
func runInHelper(store, root, script string) error {
	b, err := newBench(store, root, false)
	if err != nil {
		return err
	}
	kept := len(os.Args) > 3
	result, err := b.start(context.Background(), action.Spec{
		Argv: []string{"sh", "-c", script}, Outputs: []string{"out"},
		Caches: []action.CacheSpec{{Name: "tool", Mode: "mutable", Path: "cache", Publish: "always"}},
	}, executor.Request{
		Streams: executor.Streams{Input: executor.ClassifyInput(os.Stdin), Stdout: os.Stdout, Stderr: os.Stderr},
		Results: executor.ResultPolicy{Read: kept, Write: kept},
	})
	if err == nil && kept {
		fmt.Println("cached:", result.Cached)
		for _, warning := range result.Warnings {
			fmt.Println("warning:", warning)
		}
	}
	return err
}

// requireSandbox skips a test, and fails it under CI=true, where sandboxes or
// overlays cannot be made.
func requireSandbox(t testing.TB) {
	t.Helper()
	err := sandbox.Probe().Namespaces
	if err == nil {
		err = sandbox.OverlayWorks(t.TempDir())
	}
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// bench is a store with a pipeline on it, and a root to run actions for.
type bench struct {
	root   string
	layout caches.Layout
	blobs  *cas.Store
	named  *named.Store
	line   *executor.Executor
	config local.Config
	events []executor.Event
}

func newBench(store, root string, copied bool) (*bench, error) {
	layout, err := caches.OpenLayout(store)
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, layout: layout, blobs: cas.Open(layout, digest.BLAKE3), named: named.Open(layout, nil)}
	b.config = local.Config{
		Layout: layout, Blobs: b.blobs, Named: b.named, Payloads: payload.Open(layout, nil), Path: filepath.SplitList(os.Getenv("PATH")),
		Home: os.Getenv("HOME"), Env: os.Getenv, ProgramIndex: filepath.Join(layout.Index(), "programs"),
		Grace: 500 * time.Millisecond, Copy: copied, Sandbox: local.Kind(os.Getenv(sandboxVariable)),
	}
	b.wire()
	return b, nil
}

func (b *bench) wire() { b.line = b.lineOf(local.New(b.config)) }

// lineOf is a pipeline on the store.
func (b *bench) lineOf(runner executor.Runner) *executor.Executor {
	inputs := executor.Inputs{
		Function: digest.BLAKE3, Trees: b.blobs,
		IndexFile:  func(string) string { return filepath.Join(b.layout.Index(), "inputs") },
		WriteIndex: func(file string, data []byte) error { return b.layout.WriteFile(file, data, 0o644) },
	}
	kept := results.NewChecked(results.NewFiles(b.layout), b.blobs)
	return executor.New(inputs, runner, kept, b.blobs)
}

func (b *bench) start(ctx context.Context, spec action.Spec, request executor.Request) (*action.Result, error) {
	checked, err := spec.Validate(b.root)
	if err != nil {
		return nil, err
	}
	request.Action = checked
	request.Observe = func(event executor.Event) { b.events = append(b.events, event) }
	return b.line.Run(ctx, request)
}

// newTestBench makes a store and a root with a repository of its own.
func newTestBench(t testing.TB) *bench { return newBenchIn(t, false) }

func newBenchIn(t testing.TB, copied bool) *bench {
	t.Helper()
	requireSandbox(t)
	dir := tempDir(t)
	b, err := newBench(filepath.Join(dir, "store"), filepath.Join(dir, "root"), copied)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(b.root, ".git", "HEAD"), "ref")
	return b
}

// tempDir is a folder that is removed whatever modes actions left in it.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "local-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ran is a run with what it wrote.
type ran struct {
	*action.Result
	err            error
	stdout, stderr string
}

// sh runs a shell command, after adjust had a look at the spec.
func (b *bench) sh(t testing.TB, script string, adjust ...func(*action.Spec)) ran {
	t.Helper()
	spec := action.Spec{Argv: []string{"sh", "-c", script}, Inputs: []string{"."}}
	for _, change := range adjust {
		change(&spec)
	}
	return b.run(t, spec, executor.Request{})
}

func (b *bench) run(t testing.TB, spec action.Spec, request executor.Request) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if request.Streams.Stdout == nil {
		request.Streams.Stdout, request.Streams.Stderr = &stdout, &stderr
	}
	result, err := b.start(t.Context(), spec, request)
	if result == nil {
		t.Fatal(err)
	}
	return ran{result, err, stdout.String(), stderr.String()}
}

// want fails the test unless the command ended with code and wrote text.
func (r ran) want(t testing.TB, code int, text string) ran {
	t.Helper()
	if r.err != nil || r.ExitCode != code || strings.TrimSpace(r.stdout) != text {
		t.Fatalf("exit code %d, status %s, error %v, output %q, %q; want %d, %q", r.ExitCode, r.Status, r.err, r.stdout, r.stderr, code, text)
	}
	return r
}

// wantError fails the test unless larder failed and said what is wanted.
func (r ran) wantError(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if r.err == nil || !strings.Contains(r.err.Error(), text) || r.Status != action.StatusError {
			t.Fatalf("status %s, error %v; want an error that says %q", r.Status, r.err, text)
		}
	}
}

func outputs(paths ...string) func(*action.Spec) {
	return func(s *action.Spec) { s.Outputs = append(s.Outputs, paths...) }
}

func cache(spec action.CacheSpec) func(*action.Spec) {
	return func(s *action.Spec) { s.Caches = append(s.Caches, spec) }
}

func mutable() func(*action.Spec) {
	return cache(action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache"})
}

func appendOnly() func(*action.Spec) {
	return cache(action.CacheSpec{Name: "pkgs", Mode: "append-only", Path: "cache"})
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wantNothingLeft: no private folder and no temporary file outlives its run.
func (b *bench) wantNothingLeft(t testing.TB) {
	t.Helper()
	for _, folder := range []string{b.layout.Runs(), b.layout.Temp()} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", filepath.Base(folder), left, err)
		}
	}
}

// brokenPipe is a user's output that was closed.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestAsOrdinaryUser runs the other tests again as an ordinary user, when they
// are run by root.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is an ordinary user already")
	}
	requireSandbox(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	binary := filepath.Join(dir, "local.test")
	put(t, binary, content(t, program))
	for _, path := range []string{dir, binary} {
		if err := errors.Join(os.Chown(path, sandbox.UserID, sandbox.GroupID), os.Chmod(path, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(binary, "-test.timeout="+timeLeft(t).String(), "-test.short")
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, "CI=" + os.Getenv("CI")}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: sandbox.UserID, Gid: sandbox.GroupID}}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("as user %d: %v\n%s", sandbox.UserID, err, out)
	}
}

// timeLeft is how long a test that runs tests may take, so that it says what hung
// before it is stopped itself.
func timeLeft(t *testing.T) time.Duration {
	deadline, ok := t.Deadline()
	if !ok {
		return 0 // no limit
	}
	return time.Until(deadline) * 9 / 10
}
