//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperMode names the variable that makes the test binary act as a program
// of a test instead of running tests.
const helperMode = "SANDBOX_TEST_HELPER"

func TestMain(m *testing.M) {
	mode := os.Getenv(helperMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := helpers()[mode](os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helpers are the programs.
func helpers() map[string]func([]string) error {
	return map[string]func([]string) error{
		"attempt":   attemptCall,
		"connect":   attemptConnect,
		"contained": containedHelper,
		"deed":      attemptDeed,
		"final":     finalHelper,
		"hold":      holdSocket,
		"mount":     mountLater,
		"networks":  noNetworks,
		"reach":     attemptReach,
		"ready":     waitReady,
		"send":      attemptSend,
		"share":     attemptShare,
		"spoil":     attemptSpoil,
		"supervise": superviseShell,
		"timers":    resetTimers,
		"tell":      tellNetwork,
	}
}

// superviseShell runs args[0] in a sandbox, on its own standard files, with a
// terminal or in a directory when args[1] says so.
func superviseShell(args []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM)
	cfg := Config{
		View: SystemView(), Args: []string{"sh", "-c", args[0]}, Signals: signals,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: args[1] == "terminal",
	}
	if args[1] == "directory" {
		cfg.Isolation, cfg.Env = Directory, os.Environ()
		cfg.Dir, _ = os.Getwd()
	}
	status, err := Run(context.Background(), cfg)
	if err != nil {
		return err
	}
	fmt.Printf("exit=%d signal=%d\n", status.ExitCode, status.Signal)
	return nil
}

// requireSandbox skips a test, and fails it under CI=true, where sandboxes
// cannot be made.
func requireSandbox(t testing.TB) {
	t.Helper()
	if err := Probe().Namespaces; err != nil {
		closedGate(t, err)
	}
}

// requireOverlay does the same for overlays on the disk of the tests.
func requireOverlay(t testing.TB) {
	t.Helper()
	requireSandbox(t)
	if err := OverlayWorks(t.TempDir()); err != nil {
		closedGate(t, err)
	}
}

func closedGate(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// result is a run with what it wrote.
type result struct {
	Status
	out, log string
	err      error
}

// shell runs script with sh in a sandbox that shows the system, after adjust
// had a look at its config. Standard output and error come back as one.
func shell(t testing.TB, script string, adjust ...func(*Config)) result {
	t.Helper()
	return start(t, context.Background(), append([]func(*Config){func(cfg *Config) {
		cfg.Args = []string{"sh", "-c", script}
	}}, adjust...)...)
}

func start(t testing.TB, ctx context.Context, adjust ...func(*Config)) result {
	t.Helper()
	out, log := scratch(t), scratch(t)
	cfg := Config{View: SystemView(), Env: []string{"PATH=/usr/bin:/bin", "HOME=" + HomeDir}, Stdout: out, Stderr: out, Log: log}
	for _, change := range adjust {
		change(&cfg)
	}
	status, err := Run(ctx, cfg)
	return result{status, content(t, out), content(t, log), err}
}

func scratch(t testing.TB) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func content(t testing.TB, file *os.File) string {
	t.Helper()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// want fails the test unless the run ended by itself with code and wrote text.
func (r result) want(t testing.TB, code int, text string) {
	t.Helper()
	if r.err != nil || r.Exec != nil || r.ExitCode != code || strings.TrimSpace(r.out) != text {
		t.Fatalf("got exit code %d, signal %d, exec error %v, error %v, output %q; want %d, %q", r.ExitCode, r.Signal, r.Exec, r.err, r.out, code, text)
	}
}

// asHelper makes the command of cfg the helper of that mode.
func asHelper(t testing.TB, mode string, args ...string) func(*Config) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *Config) {
		cfg.Binds = append(cfg.Binds, Bind{Source: program, Target: "/helper"})
		cfg.Args = append([]string{"/helper"}, args...)
		cfg.Env = append(cfg.Env, helperMode+"="+mode, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR=/tmp") // no pause and no words at the end
	}
}

// outside is a helper that runs on the host.
func outside(t testing.TB, mode string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), helperMode+"="+mode, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// overlay makes an overlay at WorkDir with one lower layer of files.
func overlay(t testing.TB, files map[string]string) Overlay {
	t.Helper()
	dir := t.TempDir()
	o := Overlay{Target: WorkDir, Lowers: []string{filepath.Join(dir, "lower")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, name := range []string{"lower", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
	})
	for name, text := range files {
		write(t, filepath.Join(dir, "lower", name), text)
	}
	return o
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until condition holds, at most ten seconds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// marked lists the processes of this machine whose command line holds mark.
func marked(t testing.TB, mark string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(mark)) {
			found = append(found, file)
		}
	}
	return found
}

// TestAsOrdinaryUser runs all other tests again as the user 1000, when they
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
	dir, err := os.MkdirTemp("", "sandbox-user-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Remove(dir) })
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "sandbox.test")
	write(t, copied, string(binary))
	for _, path := range []string{dir, copied} {
		if err := os.Chown(path, UserID, GroupID); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(copied, "-test.timeout="+timeLeft(t).String(), "-test.short")
	cmd.Dir = dir
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, "CI=" + os.Getenv("CI")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: UserID, Gid: GroupID}}
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as user %d: %v\n%s", UserID, err, output)
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
