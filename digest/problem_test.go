package digest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func scanAll(root string) (*Tree, error) {
	return Scan(context.Background(), root, ScanOptions{Patterns: []string{"."}})
}

func TestScanReportsWhatNoTreeCanHold(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"good": "x", "sub/bad\xffname": "x", "link": "-> to\xfe", "dir\xff/x": "y"})
	if err := unix.Mkfifo(filepath.Join(root, "sub", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(root, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, err = scanAll(root)
	for what, is := range map[string]error{
		`"sub/bad\xffname" has a name`: ErrName, `"dir\xff" has a name`: ErrName, `link is a symbolic link to "to\xfe"`: ErrName,
		"sub/pipe is a FIFO": ErrUnsupportedFile, "sock is a socket": ErrUnsupportedFile,
	} {
		if !errors.Is(err, is) || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v\nshould say %s and be %v", err, what, is)
		}
	}
	var problems *Problems
	if !errors.As(err, &problems) || problems.Count != 5 || len(problems.First) != 5 {
		t.Errorf("got %+v, want 5 problems", problems)
	}
	got := scanned(t, root, ScanOptions{Patterns: []string{".", "!sock", "!link", "!sub", "!dir*"}})
	if fmt.Sprint(got) != "[good]" {
		t.Errorf("what was deselected is no problem, but got %q", got)
	}
}

func TestScanListsTenProblemsAndCountsAll(t *testing.T) {
	root := t.TempDir()
	for i := range 25 {
		if err := unix.Mkfifo(filepath.Join(root, fmt.Sprintf("pipe%02d", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := scanAll(root)
	text := fmt.Sprint(err)
	if !strings.Contains(text, "pipe00") || !strings.Contains(text, "pipe09") || strings.Contains(text, "pipe10") || !strings.Contains(text, "and 15 more") {
		t.Errorf("error should list pipe00 to pipe09 and 15 more: %s", text)
	}
}

// TestUnreadable runs as an ordinary user, since root may read everything.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		asOrdinaryUser(t)
		return
	}
	root := t.TempDir()
	writeTree(t, root, map[string]string{"ok": "x", "file": "y", "dir/x": "z"})
	for _, name := range []string{"file", "dir"} {
		path := filepath.Join(root, name)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o755) })
	}
	_, err := scanAll(root)
	if !errors.Is(err, ErrUnreadable) || !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "file cannot") || !strings.Contains(err.Error(), "dir cannot") {
		t.Errorf("scan: error %v, want ErrUnreadable for file and dir", err)
	}
	if _, err := FileDigest(filepath.Join(root, "file"), nil); !errors.Is(err, ErrUnreadable) {
		t.Errorf("file digest: error %v, want ErrUnreadable", err)
	}
	closed, err := StateFingerprint(context.Background(), root, BLAKE3)
	if err != nil {
		t.Errorf("fingerprint: an unreadable directory is an error: %v", err)
	}
	if err := os.Chmod(filepath.Join(root, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if open, err := StateFingerprint(context.Background(), root, BLAKE3); err != nil || open == closed {
		t.Errorf("fingerprint did not see that the directory can be read now: %v", err)
	}
}

// asOrdinaryUser runs the same test again as user 65534.
func asOrdinaryUser(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "digest-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	command.Dir = dir
	command.Env = []string{"TMPDIR=" + dir, "HOME=" + dir}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
}

// TestHashFileNoticesAChange writes to a file between two reads of it: it is a
// pipe-like race made certain by a context that changes the file when asked.
func TestHashFileNoticesAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for what, change := range map[string]func() error{
		"grows":   func() error { return os.WriteFile(path, []byte(strings.Repeat("longer", 1000)), 0o644) },
		"removed": func() error { return os.Remove(path) },
		"touched": func() error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		if err := os.WriteFile(path, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		ctx := &meddler{Context: context.Background(), change: change}
		_, _, err := hashFile(ctx, BLAKE3, unix.AT_FDCWD, path, 0)
		if !errors.Is(err, ErrChanged) {
			t.Errorf("%s: error %v, want ErrChanged", what, err)
		}
		if ctx.err != nil {
			t.Fatal(ctx.err)
		}
	}
}

// meddler is a context that changes the file once the hashing asks for it,
// which is after the first look at the file and before it is read.
type meddler struct {
	context.Context
	change func() error
	err    error
	done   bool
}

func (m *meddler) Err() error {
	if !m.done {
		m.done, m.err = true, m.change()
	}
	return nil
}

func TestScanNamesTheFileThatChanged(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"sub/file": "content", "other": "x"})
	ctx := &appender{Context: context.Background(), path: filepath.Join(root, "sub", "file")}
	_, err := Scan(ctx, root, ScanOptions{Patterns: []string{"sub"}})
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "sub/file changed while it was being read") {
		t.Errorf("error %v, want ErrChanged that names sub/file", err)
	}
}

// appender is a context that makes the file longer whenever it is asked.
type appender struct {
	context.Context
	path string
}

func (a *appender) Err() error {
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("more")
	return err
}
