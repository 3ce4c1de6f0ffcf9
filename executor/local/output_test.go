package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

func digestOf(text string) string { return digest.Of(digest.BLAKE3, []byte(text)).String() }

func TestOutputsOfEachKind(t *testing.T) {
	for _, copied := range []bool{false, true} {
		b := newBenchIn(t, copied)
		put(t, filepath.Join(b.root, "input"), "as it was")
		if err := os.Chmod(filepath.Join(b.root, "input"), 0o644); err != nil {
			t.Fatal(err)
		}
		script := `echo -n f > file; echo -n x > tool; chmod +x tool; mkdir -p dir/sub dir/empty hollow
			echo -n a > dir/a; echo -n b > dir/sub/b; ln -s ../file dir/link; ln -s /etc/shadow shadow
			echo -n h > locked; chmod 0 locked; ln file dir/hard`
		r := b.sh(t, script, outputs("file", "tool", "dir", "hollow", "shadow", "input", "locked"), func(s *action.Spec) { s.Inputs = []string{"input"} }).want(t, 0, "")
		want := map[string]action.Output{
			"file": {Kind: "file", Digest: digestOf("f")}, "tool": {Kind: "file", Digest: digestOf("x"), Executable: true},
			"shadow": {Kind: "symlink", Target: "/etc/shadow"}, "input": {Kind: "file", Digest: digestOf("as it was")},
			"locked": {Kind: "file", Digest: digestOf("h")}, "hollow": {Kind: "directory", Digest: digestOf("")},
		}
		for _, output := range r.Outputs {
			expected, ok := want[output.Path]
			expected.Path = output.Path
			if ok && !reflect.DeepEqual(output, expected) {
				t.Errorf("copied %v: got %+v, want %+v", copied, output, expected)
			}
		}
		if len(r.Outputs) != 7 {
			t.Errorf("%d outputs", len(r.Outputs))
		}
		wantHandedOver(t, b.root)
		b.wantNothingLeft(t)
	}
}

func wantHandedOver(t testing.TB, root string) {
	t.Helper()
	for path, text := range map[string]string{"file": "f", "tool": "x", "dir/a": "a", "dir/sub/b": "b", "dir/hard": "f", "locked": "h", "input": "as it was"} {
		if got := content(t, filepath.Join(root, path)); got != text {
			t.Errorf("%s: got %q, want %q", path, got, text)
		}
	}
	for path, target := range map[string]string{"dir/link": "../file", "shadow": "/etc/shadow"} {
		if got, err := os.Readlink(filepath.Join(root, path)); err != nil || got != target {
			t.Errorf("%s leads to %q, %v; want %q", path, got, err, target)
		}
	}
	for path, mode := range map[string]os.FileMode{"tool": 0o755, "file": 0o644, "dir/empty": os.ModeDir | 0o755, "hollow": os.ModeDir | 0o755} {
		if info, err := os.Lstat(filepath.Join(root, path)); err != nil || info.Mode().Perm()&0o700 != mode.Perm()&0o700 || info.IsDir() != mode.IsDir() {
			t.Errorf("%s: %v, %v; want %v", path, info, err, mode)
		}
	}
}

func TestOutputsThroughALinkStayInside(t *testing.T) {
	b := newTestBench(t)
	r := b.sh(t, "ln -s /etc etc; echo done", outputs("etc/hostname"))
	var missing *executor.MissingOutput
	if !errors.As(r.err, &missing) {
		t.Errorf("outputs %+v, %v; want it to count as missing", r.Outputs, r.err)
	}
}

// TestOutputsBehindClosedDirectories: an ordinary user is held to the modes that
// the command leaves, and root is not.
func TestOutputsBehindClosedDirectories(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		script := `mkdir -p dir/x/y dir/z; echo -n f >dir/x/y/file; echo -n s >dir/suid; chmod 6755 dir/suid; chmod 1777 dir/z
			chmod 0 dir/x/y/file dir/x/y; chmod 300 dir/x; chmod 100 dir .`
		b.sh(t, script, outputs("dir")).want(t, 0, "")
		if got := content(t, filepath.Join(b.root, "dir/x/y/file")); got != "f" {
			t.Errorf("the file holds %q", got)
		}
		for path, want := range map[string]os.FileMode{"dir/suid": 0o755, "dir/z": os.ModeDir | 0o755} {
			info, err := os.Lstat(filepath.Join(b.root, path))
			if err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
			}
		}
		b.wantNothingLeft(t)
	})
}

// TestEarlierOutputsDoNotLeadLaterOnesAway: a command makes a link to a folder
// outside of the root, and the next one writes where that is.
func TestEarlierOutputsDoNotLeadLaterOnesAway(t *testing.T) {
	b := newTestBench(t)
	outside := tempDir(t)
	put(t, filepath.Join(outside, "kept"), "kept")
	b.sh(t, "ln -s "+outside+" way; mkdir dir; ln -s "+outside+" dir/way; ln -s "+outside+"/kept dir/file", outputs("way", "dir")).want(t, 0, "")
	for script, output := range map[string]string{
		"mkdir way; echo evil >way/kept":            "way/kept",
		"mkdir -p way/sub; echo evil >way/sub/x":    "way/sub",
		"mkdir -p dir/way; echo evil >dir/way/kept": "dir",
		"mkdir way; echo evil >way/new":             "way",
	} {
		if r := b.sh(t, "rm -rf way dir; "+script, outputs(output)); r.err == nil {
			t.Errorf("%s: it was handed over", script)
		}
	}
	b.sh(t, "rm -rf dir; mkdir dir; echo -n new >dir/file", outputs("dir")).want(t, 0, "")
	if got := content(t, filepath.Join(b.root, "dir/file")); got != "new" {
		t.Errorf("the output holds %q", got)
	}
	left, err := os.ReadDir(outside)
	if got := content(t, filepath.Join(outside, "kept")); err != nil || len(left) != 1 || got != "kept" {
		t.Errorf("outside: %v, %v, %q", left, err, got)
	}
}

func TestOutputsThatAreNoFiles(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "mkfifo pipe", outputs("pipe")).wantError(t, "pipe", "FIFO")
	b.sh(t, "mkdir dir; mkfifo dir/pipe", outputs("dir")).wantError(t, "dir/pipe", "FIFO")
	b.wantNothingLeft(t)
}

func TestOutputsThatAreMissing(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "touch here", outputs("here", "gone", "away")).wantError(t, "gone", "away")
	if _, err := os.Stat(filepath.Join(b.root, "here")); err == nil {
		t.Error("an output was handed over although another one is missing")
	}
	r := b.sh(t, "echo part > here; exit 1", outputs("here", "gone")).want(t, 1, "")
	if len(r.Outputs) != 1 || r.Outputs[0].Path != "here" {
		t.Errorf("kept of a failed command: %+v", r.Outputs)
	}
	if _, err := os.Stat(filepath.Join(b.root, "here")); err == nil {
		t.Error("an output of a failed command was handed over")
	}
}

func TestOutputOfTheRunReplacesAnInput(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "gen/old"), "old")
	put(t, filepath.Join(b.root, "gen/both"), "before")
	all := func(s *action.Spec) { s.Inputs = []string{"gen/"} }
	b.sh(t, "rm gen/old; echo -n after > gen/both; echo -n new > gen/new", all, outputs("gen")).want(t, 0, "")
	for path, text := range map[string]string{"gen/both": "after", "gen/new": "new", "gen/old": "old"} {
		if got := content(t, filepath.Join(b.root, path)); got != text {
			t.Errorf("%s: got %q, want %q", path, got, text)
		}
	}
	elsewhere := filepath.Join(b.root, "elsewhere")
	spec := action.Spec{Argv: []string{"sh", "-c", "ls gen; rm gen/old"}, Inputs: []string{"gen/"}, Outputs: []string{"gen"}}
	b.run(t, spec, executor.Request{OutputTo: elsewhere}).want(t, 0, "both\nnew\nold")
	if _, err := os.Stat(filepath.Join(elsewhere, "gen/old")); err == nil {
		t.Error("a file that the action removed is in its output")
	}
}
