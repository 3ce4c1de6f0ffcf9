package payload_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/payload"
)

// copierVariable makes the test binary the process that copies: it holds the
// store, the id is the first argument.
const copierVariable = "LARDER_PAYLOAD_COPIER"

// stopVariable makes that process stop at its first progress.
const stopVariable = "LARDER_PAYLOAD_STOP"

func TestMain(m *testing.M) {
	root := os.Getenv(copierVariable)
	if root == "" {
		layertest.Main(m.Run)
	}
	stopped := os.Getenv(stopVariable) == ""
	layout, err := caches.OpenLayout(root)
	if err == nil {
		err = payload.Open(layout, journal.Open(layout)).Copy(context.Background(), os.Args[1], func(payload.Progress) {
			if !stopped {
				stopped = true
				_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			}
		})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// bench is a store and a directory to copy.
type bench struct {
	*testing.T
	*payload.Store
	layout caches.Layout
	source string
}

func newBench(t *testing.T, files map[string]string) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "payload-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // whatever modes the copies have
		if err := layers.RemoveTree(dir); err != nil {
			t.Error(err)
		}
	})
	layout, err := caches.OpenLayout(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, payload.Open(layout, nil), layout, filepath.Join(dir, "sdk")}
	b.put("", "")
	for name, content := range files {
		b.put(name, content)
	}
	return b
}

// put writes a file of the source; a name that is empty or ends in a slash is a
// directory, a content that begins with "-> " a link.
func (b *bench) put(name, content string) {
	b.Helper()
	path := filepath.Join(b.source, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	target, isLink := cutPrefix(content, "-> ")
	switch {
	case err != nil:
	case name == "" || name[len(name)-1] == '/':
		err = os.MkdirAll(path, 0o755)
	case isLink:
		err = os.Symlink(target, path)
	default:
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	b.must(err)
}

func cutPrefix(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		return text, false
	}
	return text[len(prefix):], true
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) look() payload.Source {
	b.Helper()
	source, err := payload.Look(b.Context(), b.source)
	b.must(err)
	return source
}

// use is a run's use of the source, which ends with the test.
func (b *bench) use(source payload.Source, policy caches.CopyPolicy) *payload.View {
	b.Helper()
	view := b.Use(b.Context(), source, policy)
	b.Cleanup(view.Close)
	return view
}

// want notes the source as a run would.
func (b *bench) want() payload.Source {
	b.Helper()
	source := b.look()
	view := b.use(source, caches.CopyAlways)
	if view.Dir != b.source || view.Problem != nil || !view.Begin {
		b.Fatalf("a source without a copy is seen as %+v", view)
	}
	view.Close()
	return source
}

// is compares the status of the only row.
func (b *bench) is(want payload.Status) payload.Row {
	b.Helper()
	rows, err := b.List("")
	b.must(err)
	if len(rows) != 1 || rows[0].Status != want {
		b.Fatalf("the rows are %+v, want one that is %s", rows, want)
	}
	return rows[0]
}

// folder is that of a source in the store.
func (b *bench) folder(source payload.Source) string {
	return filepath.Join(b.layout.Payloads(), source.ID())
}

// sameTree compares every name, kind, mode, size, time and content.
func (b *bench) sameTree(copied string) {
	b.Helper()
	want, got := describe(b.T, b.source), describe(b.T, copied)
	for name, one := range want {
		if got[name] != one {
			b.Errorf("%s is %.200q in the copy and %.200q in the source", name, got[name], one)
		}
	}
	if len(got) != len(want) {
		b.Errorf("the copy has %d names and the source %d", len(got), len(want))
	}
}

func describe(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		text := fmt.Sprintf("%o %d ", stat.Mode, stat.Mtim.Nano())
		switch stat.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(bytes.TrimRight(data, "\x00")) + fmt.Sprint(len(data))
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += target
		}
		name, err := filepath.Rel(dir, path)
		found[name] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
